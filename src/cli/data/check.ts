import type { Command } from 'commander';
import type { SampleToDrop } from '../../data/audit/audit.js';
import type { DataFault } from '../../data/faults.js';
import type { Dataset } from '../../data/sample.js';
import type { MessageConsole } from '../../log/console.js';
import { consoleOf } from '../console.js';
import { addDataConfigOptions, type ConfigFlags, configSources } from '../options/configOptions.js';
import { print, printJson } from '../output.js';

export function registerDataCheck(program: Command, data: Command): void {
  addDataConfigOptions(data.command('check [dataset]'))
    .description('Look at every image once and tell what is wrong with a data set.')
    .option(
      '--splits <file>',
      'folds made by anatomy data split: subjects or duplicates across them are errors',
    )
    .option('--quick', 'leave out near-duplicates, misalignment and the test of the method’s premise')
    .option('--report <file>', 'a page with pictures of what was found (.html)')
    .option('--no-images', 'no pictures in the report')
    .option('--keep-ids', 'name samples in the report by their ids instead of pseudonyms')
    .option('--drop-list <file>', 'the samples that should go, as CSV for --drop (id,reason)')
    .option('--overwrite', 'replace --report and --drop-list')
    .option('--json', 'print all findings as JSON on stdout')
    .addHelpText(
      'after',
      `
Exit code 3 if there are errors, 0 otherwise. Names and places of files are printed here and never written to the report.

Examples:
  $ anatomy data check phantom:breast,pairs=50
  $ anatomy data check pairs.csv --report check.html --drop-list drop.csv
  $ anatomy pretrain --data pairs.csv --drop drop.csv …
See also: anatomy data split, anatomy data preview`,
    )
    .action((dataset: string | undefined, flags: CheckFlags) => check(program, dataset, flags));
}

interface CheckFlags extends ConfigFlags {
  quick?: boolean;
  report?: string;
  images: boolean;
  keepIds?: boolean;
  dropList?: string;
  overwrite?: boolean;
  json?: boolean;
}

async function check(program: Command, dataset: string | undefined, flags: CheckFlags): Promise<void> {
  const [
    { resolveConfig },
    { datasetSpec },
    { openDataset },
    { auditDataset, samplesToDrop },
    { readSplits },
    { writeDropList },
    { writeFileAtomic },
    { Progress },
  ] = await Promise.all([
    import('../../config/index.js'),
    import('../../training/datasetSpec.js'),
    import('../../data/openDataset.js'),
    import('../../data/audit/audit.js'),
    import('../../data/splits/splits.js'),
    import('../../data/open/dropList.js'),
    import('../../files.js'),
    import('../../log/progress.js'),
  ]);
  await checkTargets(flags);
  const named = await oneName('data check', dataset, flags.data);
  const config = resolveConfig(configSources({ ...flags, data: named }));
  const console = consoleOf(program);
  const faults: DataFault[] = [];
  const opened = await openDataset(datasetSpec(config), {
    positive: 'optional',
    onWarning: (message) => console.warn(message),
    onFault: (fault) => faults.push(fault),
  });
  const { splits } = config.data;
  const progress = new Progress(opened.samples.length, console, { title: 'checking' });
  const release = endOnSignals(() => progress.stop());
  try {
    const report = await auditDataset(opened, {
      faults,
      folds: splits === null ? undefined : (await readSplits(splits)).folds,
      quick: flags.quick,
      seed: config.seed,
      onProgress: (done) => progress.update(done),
    });
    progress.stop();
    if (flags.dropList !== undefined) {
      const dropped = samplesToDrop(report);
      writeDropList(flags.dropList, dropped);
      adviseOnDropping(dropped, opened, console);
    }
    if (flags.report !== undefined) {
      const { renderAudit } = await import('../../report/audit/renderAudit.js');
      writeFileAtomic(flags.report, await renderAudit(opened, report, flags));
    }
    const { auditText } = await import('../../report/audit/auditText.js');
    if (flags.json) printJson(report);
    else print(auditText(report));
    for (const file of [flags.report, flags.dropList]) if (file !== undefined) console.success(file);
    if (report.counts.error > 0) process.exitCode = 3;
  } finally {
    progress.stop();
    release();
  }
}

/** Says which samples are dropped for one image although they have others. */
function adviseOnDropping(
  dropped: readonly SampleToDrop[],
  { samples }: Dataset,
  console: MessageConsole,
): void {
  const imagesOf = new Map(samples.map(({ id, images }) => [id, Object.keys(images).length]));
  const several = dropped.filter(({ id, modality }) => modality !== undefined && imagesOf.get(id)! > 1);
  if (several.length === 0) return;
  console.info(
    `${several.length} of the ${dropped.length} samples to drop ${several.length === 1 ? 'has' : 'have'} other images than the one at fault. ` +
      'To keep those, take that image alone away (an empty cell in the manifest) and strike the sample off the list.',
  );
}

async function checkTargets({ report, dropList, overwrite }: CheckFlags): Promise<void> {
  const [{ existsSync }, { UsageError }, { refuseUnwritableFile }] = await Promise.all([
    import('node:fs'),
    import('../../errors.js'),
    import('../../files.js'),
  ]);
  if (report !== undefined && !/\.html?$/i.test(report))
    throw new UsageError(`--report is ${report}, expected a file name that ends in .html`);
  for (const file of [report, dropList]) {
    if (file !== undefined && existsSync(file) && !overwrite)
      throw new UsageError(`${file} exists; choose another name, or --overwrite it`);
  }
  if (report !== undefined) refuseUnwritableFile(report, '--report');
  if (dropList !== undefined) refuseUnwritableFile(dropList, '--drop-list');
}

/** Takes the name of the data from the argument or the flag. @throws UsageError if both are given */
export async function oneName(
  command: string,
  argument: string | undefined,
  flag: ConfigFlags['data'],
): Promise<ConfigFlags['data']> {
  if (argument === undefined || flag === undefined) return argument ?? flag;
  const named =
    typeof flag === 'string'
      ? flag
      : Object.entries(flag)
          .map((pair) => pair.join('='))
          .join(' ');
  const { UsageError } = await import('../../errors.js');
  throw new UsageError(`${command}: the data is named twice, ${argument} and --data ${named}; name it once`);
}

/**
 * Ends the process at once when it is interrupted, as nothing is written before the end of a check.
 * @returns a function that undoes this
 */
function endOnSignals(tidyUp: () => void): () => void {
  const codes = { SIGINT: 130, SIGTERM: 143 } as const;
  const ends = Object.entries(codes).map(([signal, code]) => {
    const end = () => {
      tidyUp();
      process.exit(code);
    };
    process.once(signal, end);
    return () => process.off(signal, end);
  });
  return () => {
    for (const off of ends) off();
  };
}
