import type { Command } from 'commander';
import { consoleOf } from '../console.js';
import { addConfigOptions, type ConfigFlags, configSources, wholeNumber } from '../options/configOptions.js';
import { print } from '../output.js';

export function registerDataPreview(program: Command, data: Command): void {
  addConfigOptions(
    data
      .command('preview')
      .description(
        'One picture of some pairs with the augmented views a run of these settings makes of them.',
      ),
  )
    .requiredOption('--out <file>', 'the PNG')
    .option('--pairs <n>', 'how many pairs', wholeNumber(1), 6)
    .option('--overwrite', 'replace --out')
    .addHelpText(
      'after',
      '\nExample:\n  $ anatomy data preview --data pairs.csv --recipe authors --set data.size=64 --out sheet.png',
    )
    .action(async (flags: PreviewFlags) => {
      const [{ resolveConfig }, { existsSync }, { UsageError }, { refuseUnwritableFile, writeFileAtomic }] =
        await Promise.all([
          import('../../config/index.js'),
          import('node:fs'),
          import('../../errors.js'),
          import('../../files.js'),
        ]);
      const { out, pairs, overwrite } = flags;
      if (!/\.png$/i.test(out))
        throw new UsageError(`--out is ${out}, expected a file name that ends in .png`);
      if (existsSync(out) && !overwrite)
        throw new UsageError(`${out} exists; choose another --out, or --overwrite it`);
      refuseUnwritableFile(out, '--out');
      const config = resolveConfig(configSources(flags));
      const { contactSheet, preview } = await import('../../report/index.js');
      writeFileAtomic(out, await contactSheet(await preview(config, { console: consoleOf(program), pairs })));
      print(`${out}\n`);
    });
}

interface PreviewFlags extends ConfigFlags {
  out: string;
  pairs: number;
  overwrite?: boolean;
}
