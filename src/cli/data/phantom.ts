import type { Command } from 'commander';
import type { DatasetToWrite } from '../../data/write/datasetFolder.js';
import { consoleOf } from '../console.js';
import { wholeNumber } from '../options/configOptions.js';
import { addColumn } from '../options/dataOptions.js';
import { print, printJson } from '../output.js';

export function registerDataPhantom(program: Command, data: Command): void {
  data
    .command('phantom [name]')
    .description(
      'Write a phantom as a data set of PNGs with masks and parameters; or real fundus photographs with simulated angiograms.',
    )
    .requiredOption('--out <folder>', 'the new data set')
    .option(
      '--size <n>',
      'side of the images (default: 224); with --from their shorter side at most (default: 512)',
      wholeNumber(16, 2048),
    )
    .option(
      '--from <path>',
      'photographs: a folder, a manifest or a known data set; angiograms are simulated from them',
    )
    .option(
      '--column <role=name...>',
      'with --from: column of the manifest for a role, such as a=fundus',
      addColumn,
    )
    .option('--positive <class>', 'with --from: the class that counts as positive, against all others')
    .option('--seed <n>', 'with --from: seed of the noise (default: 0)', wholeNumber())
    .option('--overwrite', 'replace a data set that this command wrote')
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      `
Simulated images are called so wherever they are shown or judged.

Examples:
  $ anatomy data phantom phantom:fundus,pairs=50 --size 224 --out fundus-phantom
  $ anatomy data phantom --from iChallenge-PM --size 512 --out pm-pairs
  $ anatomy pretrain --data pm-pairs --out runs/pm
See also: anatomy data preview`,
    )
    .action(async (name: string | undefined, flags: PhantomFlags) => {
      const [{ checkOutFolder, writeDatasetFolder }, { Progress }] = await Promise.all([
        import('../../data/write/datasetFolder.js'),
        import('../../log/progress.js'),
      ]);
      const console = consoleOf(program);
      await checkOutFolder(flags.out, flags.overwrite);
      const dataset = await whatToWrite(name, flags, (message) => console.warn(message));
      const { samples, card } = dataset;
      const progress = new Progress(samples.length, console, { title: 'drawing' });
      const interruption = new AbortController();
      const interrupt = (signal: NodeJS.Signals) => interruption.abort(signal);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
      try {
        await writeDatasetFolder(flags.out, dataset, {
          overwrite: flags.overwrite,
          onProgress: (done) => progress.update(done),
          signal: interruption.signal,
        });
      } catch (error) {
        if (!interruption.signal.aborted) throw error;
        progress.stop();
        console.warn(`interrupted; nothing was written to ${flags.out}`);
        process.exitCode = interruption.signal.reason === 'SIGINT' ? 130 : 143;
        return;
      } finally {
        progress.stop();
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
      }
      const summary = { out: flags.out, name: card.name, samples: samples.length, simulated: card.simulated };
      if (flags.json) printJson(summary);
      else print(`${flags.out}\n`);
    });
}

interface PhantomFlags {
  out: string;
  size?: number;
  from?: string;
  column?: Record<string, string | null>;
  positive?: string;
  seed?: number;
  overwrite?: boolean;
  json?: boolean;
}

async function whatToWrite(
  name: string | undefined,
  { from, size, column, positive, seed }: PhantomFlags,
  onWarning: (message: string) => void,
): Promise<DatasetToWrite> {
  const { UsageError } = await import('../../errors.js');
  if (from !== undefined) {
    if (name !== undefined)
      throw new UsageError(`data phantom: both ${name} and --from ${from} are given; leave one of them out`);
    const { openPhotographs, simulatedPairs } = await import('../../data/write/simulatedPairs.js');
    const photographs = await openPhotographs({ path: from, columns: column, positive }, onWarning);
    return simulatedPairs(photographs, { size: size ?? 512, seed: seed ?? 0 });
  }
  if (name === undefined)
    throw new UsageError(
      'data phantom: name a phantom, such as phantom:fundus,pairs=50, or photographs with --from',
    );
  if (column !== undefined || positive !== undefined || seed !== undefined)
    throw new UsageError(
      'data phantom: --column, --positive and --seed go with --from; a phantom has its seed in its name, as in phantom:fundus,seed=1',
    );
  const [{ openPhantom }, { phantomToWrite }] = await Promise.all([
    import('../../phantoms/openPhantom.js'),
    import('../../data/write/phantomFolder.js'),
  ]);
  return phantomToWrite(name, await openPhantom(name), size ?? 224);
}
