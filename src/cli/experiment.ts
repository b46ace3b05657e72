/**
 * The command `anatomy experiment`: it runs the cells of an experiment file, and prints the table of those that are
 * finished.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { WHAT_DATA_IS } from '../data/open/dataNames.js';
import type { TableFormat } from '../experiments/print/formatTable.js';
import type { Matching } from '../experiments/table/matching.js';
import { mostThreads } from '../tensor/cpu.js';
import { numbered } from '../text/numbers.js';
import { consoleOf } from './console.js';
import { wholeNumber } from './options/configOptions.js';
import { addDataOptions, type DataFlags } from './options/dataOptions.js';
import { addMatchingOptions, askedMatching, type MatchingFlags } from './options/matchingOptions.js';
import { print, printJson } from './output.js';

interface RunFlags extends DataFlags {
  out: string;
  smoke?: boolean;
  jobs?: number;
  threads: number;
  splits?: string;
  masks?: string;
  judge?: Record<string, string>;
  confirm?: boolean;
  overwrite?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

interface TableFlags extends MatchingFlags {
  format: TableFormat;
  confirm?: boolean;
  json?: boolean;
}

export function registerExperiment(program: Command): void {
  const experiment = program
    .command('experiment')
    .description('One table from one command: pretrain every row, judge it by every protocol.');
  const runCommand = experiment
    .command('run <file>')
    .description(
      'Run what is not finished of an experiment file, then print its table. The same command again goes on.',
    )
    .requiredOption('--out <folder>', 'cells, runs and logs of the experiment')
    .option('--smoke', 'the size under "smoke:" in the file, to see that everything runs')
    .option('--jobs <n>', 'processes at once (default: as many as cores allow)', wholeNumber(1))
    .option('--threads <n>', 'LibTorch’s threads in each process', wholeNumber(1, mostThreads()), 1);
  addDataOptions(runCommand, `in place of the file’s: ${WHAT_DATA_IS}`)
    .option(
      '--splits <file>',
      'folds made by anatomy data split (default: published with the data, or drawn)',
    )
    .option('--masks <folder>', 'lesions of the data as ID.png, not 0 inside, for the protocol pairs')
    .option('--judge <name=path...>', 'where further data lie that the file judges on', addPlace)
    .option('--confirm', 'when all else is finished, judge what the splits set aside, once')
    .option('--overwrite', 'run cells anew whose settings have changed')
    .option('--dry-run', 'list the cells with their states; writes nothing')
    .option('--json', 'print the table, or the list of --dry-run, as JSON on stdout')
    .addHelpText(
      'after',
      `
Each cell (one pretraining, one evaluation of it) is a process of its own and is kept when it is finished. Ctrl-C saves
what is at work. Paths in the file are seen from the file, those on the command line from here. experiment.json and
cells/ are enough for tables and figures, and, copied to another machine, count as done there. The same command at the
same time, here or on other machines that see the folder, shares the cells.

Examples:
  $ anatomy experiment run experiments/table1.yaml --smoke --out runs/smoke
  $ anatomy experiment run experiments/table2.yaml --data pairs.csv --out runs/table2 --jobs 2
  $ anatomy experiment run experiments/table1.yaml --data MM_Ultrasound --judge BUSI=Dataset_BUSI_with_GT --out runs/table1
See also: anatomy experiment table, anatomy pretrain, anatomy evaluate`,
    )
    .action((file: string, flags: RunFlags) => run(program, file, flags));
  const tableCommand = experiment
    .command('table <folder>')
    .description('Print the table of an experiment from the cells that are finished.')
    .option('--format <name>', 'markdown, csv or latex', 'markdown')
    .option('--confirm', 'the table of what was set aside, and nothing else');
  addMatchingOptions(tableCommand)
    .option('--json', 'print the table as JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
  $ anatomy experiment table runs/table2
  $ anatomy experiment table runs/table2 --format latex > table.tex
  $ anatomy experiment table runs/table2 --matched age --within 5 --data pairs.csv
See also: anatomy experiment run`,
    )
    .action(async (folder: string, flags: TableFlags) =>
      printTable(folder, flags, await askedMatching(program, folder, flags)),
    );
}

async function run(program: Command, file: string, flags: RunFlags): Promise<void> {
  const [{ readExperiment }, { listCells, runExperiment }, { availableParallelism }] = await Promise.all([
    import('../experiments/file/readExperiment.js'),
    import('../experiments/run/runExperiment.js'),
    import('node:os'),
  ]);
  const { out, threads, overwrite, json } = flags;
  const jobs = flags.jobs ?? Math.max(1, Math.floor(availableParallelism() / threads));
  const console = consoleOf(program);
  const experiment = readExperiment(file, flags);
  if (flags.dryRun) {
    const cells = await listCells(experiment, out, { console, confirm: flags.confirm });
    const lines = cells.flatMap(({ state, title, differences, again }) => [
      `${state.padEnd(10)} ${title}${again === undefined ? '' : ` (again: ${again})`}\n`,
      ...differences.map((difference) => `${' '.repeat(13)}${difference}\n`),
    ]);
    const absent = experiment.judge.flatMap(({ name, absent: why }) =>
      why === undefined ? [] : [`${'no data'.padEnd(10)} ${name}: ${why}\n`],
    );
    if (json) printJson(cells);
    else print([...lines, ...absent].join(''));
    return;
  }
  const { cells, done, failed, interrupted, confirmed } = await runExperiment(experiment, {
    out,
    console,
    jobs,
    threads,
    overwrite,
    confirm: flags.confirm,
  });
  const { constants } = await import('node:os');
  if (interrupted !== undefined) {
    console.warn(
      `${interrupted}: ${done} of ${numbered(cells, 'cell')} ${done === 1 ? 'is' : 'are'} done; the same command goes on from there`,
    );
    process.exitCode = 128 + constants.signals[interrupted];
    return;
  }
  await printTable(out, { format: 'markdown', json, confirm: confirmed });
  if (confirmed === false) {
    console.error('what is set aside was not judged, as not all cells are done; the same command goes on');
    process.exitCode = 1;
  }
  if (failed.length === 0) {
    console.success(`${numbered(cells, 'cell')} ${cells === 1 ? 'is' : 'are'} done: ${out}`);
    return;
  }
  for (const { title, reason, log } of failed) console.error(`${title}: ${reason}; log: ${log}`);
  const waiting = cells - done - failed.length;
  const them = failed.length === 1 ? 'it' : 'them';
  console.error(
    `${failed.length} of ${numbered(cells, 'cell')} failed${waiting > 0 ? `, ${waiting} ${waiting === 1 ? 'waits' : 'wait'} for ${them}` : ''}; the same command tries ${them} again`,
  );
  process.exitCode = 1;
}

function addPlace(pair: string, places: Record<string, string> = {}) {
  const [name, path] = pair.split(/=(.*)/s);
  if (!name || !path)
    throw new InvalidArgumentError('Expected name=path, such as BUSI=Dataset_BUSI_with_GT.');
  return { ...places, [name]: path };
}

async function printTable(
  folder: string,
  { format, json, confirm }: Pick<TableFlags, 'format' | 'json' | 'confirm'>,
  matching?: Matching,
): Promise<void> {
  const [{ experimentTable }, { formatTable, tableFormats }, { UsageError }] = await Promise.all([
    import('../experiments/table/experimentTable.js'),
    import('../experiments/print/formatTable.js'),
    import('../errors.js'),
  ]);
  if (!tableFormats.includes(format)) {
    throw new UsageError(`--format is ${format}, expected one of ${tableFormats.join(', ')}`);
  }
  const table = experimentTable(folder, { confirm, matching });
  if (json) printJson(table, 2);
  else print(formatTable(table, format));
}
