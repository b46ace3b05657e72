import type { Command } from 'commander';
import { addConfigOptions, type ConfigFlags, configSources } from './options/configOptions.js';
import { print, printJson } from './output.js';

export function registerConfig(program: Command): void {
  const config = program.command('config').description('Show, check and copy settings.');

  addConfigOptions(config.command('show'))
    .description('Print the complete config as YAML: defaults, recipe, file and settings resolved.')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ anatomy config show --recipe authors --set data.size=64')
    .action(async (flags: ConfigFlags & { json?: boolean }) => {
      const { formatConfig, resolveConfig } = await import('../config/index.js');
      const resolved = resolveConfig(configSources(flags));
      if (flags.json) printJson(resolved, 2);
      else print(formatConfig(resolved));
    });

  config
    .command('check <file>')
    .description('Check a YAML config; exit 2 names what is wrong.')
    .addHelpText('after', '\nExample:\n  $ anatomy config check my.yaml')
    .action(async (file: string) => {
      const { resolveConfig } = await import('../config/index.js');
      resolveConfig({ file });
      print(`${file}: ok\n`);
    });

  config
    .command('copy <recipe> <file>')
    .description('Write a recipe’s complete config to a file, to edit.')
    .addHelpText('after', '\nExample:\n  $ anatomy config copy authors mine.yaml')
    .action(async (recipe: string, file: string) => {
      const [{ formatConfig, resolveConfig }, { existsSync }, { UsageError }, { writeFileAtomic }] =
        await Promise.all([
          import('../config/index.js'),
          import('node:fs'),
          import('../errors.js'),
          import('../files.js'),
        ]);
      const text = formatConfig(resolveConfig({ recipe }));
      if (existsSync(file)) throw new UsageError(`${file} exists; choose another name`);
      writeFileAtomic(file, text);
      print(`${file}\n`);
    });
}
