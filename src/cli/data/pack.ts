import type { Command } from 'commander';
import { missingCounts, missingWords } from '../../data/presence.js';
import type { Progress } from '../../log/progress.js';
import { consoleOf } from '../console.js';
import {
  addDataConfigOptions,
  type ConfigFlags,
  configSources,
  wholeNumber,
} from '../options/configOptions.js';
import { print, printJson } from '../output.js';

interface PackFlags extends ConfigFlags {
  out?: string;
  shards?: string;
  shardSize: number;
  size?: number;
  pseudonyms?: boolean;
  overwrite?: boolean;
  json?: boolean;
}

export function registerDataPack(program: Command, data: Command): void {
  addDataConfigOptions(data.command('pack'))
    .description('The data in one file that opens anywhere, or in tar shards to be streamed.')
    .option('--out <file>', 'a pack: decoded images and manifest in one .safetensors file')
    .option('--shards <folder>', 'tar archives of PNGs, after WebDataset’s convention')
    .option(
      '--size <n>',
      'side of the images in pixels; shards keep each image’s own where left out',
      wholeNumber(1),
    )
    .option('--shard-size <n>', 'samples in a shard', wholeNumber(1), 1000)
    .option('--pseudonyms', 'keyed hashes instead of ids and subjects, and no further columns')
    .option('--overwrite', 'replace what is there')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ anatomy data pack --data pairs.csv --size 128 --out pairs.safetensors
  $ anatomy pretrain --data pairs.safetensors --set data.size=64 --out runs/first
  $ anatomy data pack --data pairs.csv --size 256 --shards shards --shard-size 1000
  $ anatomy pretrain --data shards --set data.shuffleBuffer=2000 data.size=128 --out runs/second`,
    )
    .action(async (flags: PackFlags) => {
      const [{ resolveConfig }, { UsageError }, { datasetSpec }, { openDataset }, { Progress: ProgressBar }] =
        await Promise.all([
          import('../../config/index.js'),
          import('../../errors.js'),
          import('../../training/datasetSpec.js'),
          import('../../data/openDataset.js'),
          import('../../log/progress.js'),
        ]);
      const { out, shards, size, shardSize, pseudonyms, overwrite } = flags;
      if ((out === undefined) === (shards === undefined)) {
        throw new UsageError('data pack: expected one of --out FILE (a pack) and --shards FOLDER');
      }
      if (out !== undefined && size === undefined) {
        throw new UsageError(
          'data pack: --size is missing; a pack holds images of one side, such as --size 128',
        );
      }
      const console = consoleOf(program);
      const dataset = await openDataset(datasetSpec(resolveConfig(configSources(flags))), {
        onWarning: (message) => console.warn(message),
        positive: 'optional',
      });
      const missing = missingCounts(dataset.samples, dataset.modalities);
      if (missing !== undefined) console.info(missingWords(missing, dataset.samples.length));
      const interrupted = new AbortController();
      const onSignal = (signal: NodeJS.Signals) => interrupted.abort(signal);
      process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
      let progress: Progress | undefined;
      const options = {
        pseudonyms,
        overwrite,
        signal: interrupted.signal,
        onWarning: (message: string) => console.warn(message),
        onProgress: (done: number, total: number) => {
          progress ??= new ProgressBar(total, console, { title: 'packing' });
          progress.update(done);
        },
      };
      try {
        let written: object;
        if (out === undefined) {
          const { writeShards } = await import('../../data/shards/shardsWrite.js');
          const description = await writeShards(dataset, shards!, { ...options, size, shardSize });
          written = { shards, samples: description.count, files: description.shards.length };
        } else {
          const { writePack } = await import('../../data/pack/packWrite.js');
          written = {
            out,
            samples: dataset.samples.length,
            ...(await writePack(dataset, out, { ...options, size: size! })),
          };
        }
        progress?.stop();
        if (flags.json) printJson(missing === undefined ? written : { ...written, missing });
        else print(`${out ?? shards}\n`);
      } catch (error) {
        if (!interrupted.signal.aborted) throw error;
        console.warn(`${interrupted.signal.reason}: nothing was written`);
        process.exitCode = interrupted.signal.reason === 'SIGINT' ? 130 : 143;
      } finally {
        progress?.stop();
        process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      }
    });
}
