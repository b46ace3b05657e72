import type { Command } from 'commander';
import { consoleOf } from './console.js';

interface Flags {
  out?: string;
  withImages?: boolean;
  json?: boolean;
}

export function registerReport(program: Command): void {
  program
    .command('report <run>')
    .description('Write a page with the curves, a preview of the data and the probe tables of a run.')
    .option('--out <folder>', 'where to write index.html and figures/ (default: RUN/report)')
    .option('--with-images', 'show pairs although they are no phantoms; mind whom you share the page with')
    .option('--json', 'print the written files as JSON on stdout')
    .addHelpText(
      'after',
      `
The page needs no network and no JavaScript; it may be sent as one file.

Examples:
  $ anatomy report runs/first
  $ anatomy report runs/first --out /tmp/report
See also: anatomy evaluate, anatomy data preview`,
    )
    .action(async (run: string, flags: Flags) => {
      const { writeReport } = await import('../report/index.js');
      const console = consoleOf(program);
      const { out, withImages } = flags;
      const files = await writeReport(run, { out, withImages, console });
      for (const sentence of files.summary) console.info(`- ${sentence}`);
      console.success(`report with ${files.figures.length} figures`);
      process.stdout.write(flags.json ? `${JSON.stringify(files)}\n` : `${files.page}\n`);
    });
}
