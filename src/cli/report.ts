/** The command `anatomy report`: it writes a page about runs or about an experiment. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { consoleOf } from './console.js';
import { addMatchingOptions, askedMatching, type MatchingFlags } from './options/matchingOptions.js';
import { print, printJson } from './output.js';

interface Flags extends MatchingFlags {
  out?: string;
  withImages?: boolean;
  json?: boolean;
}

export function registerReport(program: Command): void {
  const report = program
    .command('report <paths...>')
    .description('Write a page about a run, about several side by side, or about an experiment.')
    .option('--out <folder>', 'where to write index.html and figures/ (default, of one path: PATH/report)')
    .option('--with-images', 'show pairs although they are no phantoms; mind whom you share the page with');
  addMatchingOptions(report)
    .option('--json', 'print the written files as JSON on stdout')
    .addHelpText(
      'after',
      `
The page needs no network and no JavaScript; it may be sent as one file, and prints well. Of an experiment, experiment.json
and cells/ are enough.

Examples:
  $ anatomy report runs/first
  $ anatomy report runs/first runs/second --out /tmp/report
  $ anatomy report runs/methods --matched age --within 5
See also: anatomy evaluate, anatomy experiment, anatomy data preview`,
    )
    .action(async (paths: string[], flags: Flags) => {
      const console = consoleOf(program);
      const { out, withImages } = flags;
      const options = { out, withImages, console };
      const experiments = paths.filter((path) => existsSync(join(path, 'experiment.json')));
      const matching = await askedMatching(program, experiments[0], flags);
      const files =
        experiments.length === 0
          ? await (await import('../report/index.js')).writeReport(paths, options)
          : await (await import('../experiments/report/writeExperimentReport.js')).writeExperimentReport(
              paths,
              {
                ...options,
                matching,
              },
            );
      for (const sentence of files.summary) console.info(`- ${sentence}`);
      console.success(`report with ${files.figures.length} figures`);
      if (flags.json) printJson(files);
      else print(`${files.page}\n`);
    });
}
