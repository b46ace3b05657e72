import type { Command } from 'commander';
import { wholeNumber } from './configOptions.js';
import { consoleOf } from './console.js';
import { addDataOptions, type DataFlags } from './dataOptions.js';

export function registerDataSplit(program: Command, data: Command): void {
  addDataOptions(data.command('split'))
    .description('Stratified k-fold by subject, seeded; writes the folds as JSON.')
    .requiredOption('--out <file>', 'the splits file')
    .option('--folds <k>', 'number of folds (default: 5, or as published with the data)', wholeNumber)
    .option('--seed <n>', 'seed', wholeNumber, 0)
    .option('--json', 'print the counts as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ anatomy data split --data pairs.csv --folds 5 --seed 0 --out splits.json',
    )
    .action(async (flags: SplitFlags) => {
      const [{ openDataset }, { makeSplits, saveSplits }, { existsSync }, { UsageError }] = await Promise.all(
        [
          import('../data/dataset.js'),
          import('../data/splits.js'),
          import('node:fs'),
          import('../errors.js'),
        ],
      );
      const console = consoleOf(program);
      if (existsSync(flags.out)) throw new UsageError(`${flags.out} exists; choose another --out`);
      if (flags.data === undefined)
        throw new UsageError('data split: --data is missing; name what to split, such as --data pairs.csv');
      const spec = {
        path: flags.data,
        pathB: flags.dataB,
        columns: flags.column,
        positive: flags.positive,
      };
      const dataset = await openDataset(spec, { onWarning: (message) => console.warn(message) });
      const splits = makeSplits(dataset, { folds: flags.folds, seed: flags.seed });
      await saveSplits(splits, flags.out);
      const counts = Array.from({ length: splits.k }, (_, fold) => {
        const members = dataset.samples.filter(({ id }) => splits.folds[id] === fold);
        const classes: Record<string, number> = {};
        for (const { label = 'unlabelled' } of members) classes[label] = (classes[label] ?? 0) + 1;
        return {
          fold,
          pairs: members.length,
          subjects: new Set(members.map(({ subject }) => subject)).size,
          classes,
        };
      });
      process.stdout.write(
        flags.json
          ? `${JSON.stringify({ out: flags.out, source: splits.source, folds: counts })}\n`
          : counts
              .map(({ fold, pairs, subjects, classes }) => {
                const detail = Object.entries(classes).map(([name, count]) => `${name} ${count}`);
                return `fold ${fold}: ${pairs} pairs of ${subjects} subjects (${detail.join(', ')})\n`;
              })
              .join(''),
      );
    });
}

interface SplitFlags extends DataFlags {
  out: string;
  folds?: number;
  seed: number;
  json?: boolean;
}
