/** `anatomy embed`: the features of images by the encoder of a run, in a file. */
import { ImageLoader } from '../../data/loading/loader.js';
import { published } from '../../data/pseudonym.js';
import { UsageError } from '../../errors.js';
import { type JudgedDataSpec, openJudgedData } from '../../evaluation/encoders/judgedData.js';
import { forwardingOf, runSummary } from '../../evaluation/encoders/runSummary.js';
import { askedSets, isAny, modalityKey } from '../../evaluation/results/modalitySets.js';
import { makeFolderOf, refuseToReplace } from '../../files.js';
import { MessageConsole } from '../../log/console.js';
import { Progress } from '../../log/progress.js';
import { openImages } from '../../training/imageCache.js';
import type { Precision } from '../../training/precision.js';
import { inFirst, meetOthers, sameData, unheard } from '../../training/processes.js';
import { packageVersion } from '../../version.js';
import { openSingleRun, RunNetworks } from '../openEncoder.js';
import { columnCount, type FeatureFile, type FeatureFormat } from './featureFile.js';
import { featureKind, kindWord } from './featureKind.js';
import { featureStream } from './featureStream.js';
import { featureFormat } from './formats.js';

export interface EmbedDataOptions {
  /** The folder of a run. */
  readonly run: string;
  /** The images; by default the run's own. Labels are not needed. */
  readonly data?: JudgedDataSpec;
  /** The file to write; its ending tells the form. Of TensorBoard's projector it is a folder. */
  readonly out: string;
  /** `npy`, `csv`, `parquet`, `safetensors` or `projector`; by default what the ending says. */
  readonly format?: string;
  /** `pooled` (default), `head`, `maps`, or one of the maps, `map0` and so on. */
  readonly features?: string;
  /** The grid of cells over which a map is averaged, such as `7x7`; by default every pixel of it. */
  readonly patches?: string;
  /** The modalities in a row, such as `a`, `a+b` or `any`; by default all, side by side. */
  readonly images?: string;
  readonly device?: string;
  /** The precision of the forward pass; by default that of the training. */
  readonly precision?: 'auto' | Precision;
  /** Replaces a file that is there. */
  readonly overwrite?: boolean;
  readonly console?: MessageConsole;
  /** The folder for decoded images. */
  readonly cacheFolder?: string;
}

/** What was written. */
export interface EmbedSummary {
  /** None where another process writes. */
  readonly files: readonly string[];
  readonly format: string;
  readonly samples: number;
  /** The number of columns of a row. */
  readonly columns: number;
  /** The shape of one part of a row: [C], or [C, h, w] of a map. */
  readonly shape: readonly number[];
  readonly features: string;
  /** The set of modalities, such as `a+b`. */
  readonly images: string;
  /** The number of samples that lack an image of the set. */
  readonly incomplete: number;
  readonly data: string;
  readonly run: ReturnType<typeof runSummary>;
}

/**
 * Writes the features of all samples to a file: a row each, in the order of the data, the same to the bit as those that
 * `evaluate` reads. Memory does not grow with the number of samples. The file appears when it is complete. Several
 * processes compute the features together, and the first one writes them.
 *
 * @throws UsageError when an option does not fit, DataError when images cannot be read; nothing is written then
 */
export async function embedData(options: EmbedDataOptions): Promise<EmbedSummary> {
  const { out, overwrite = false } = options;
  const group = meetOthers(null)?.group;
  const first = group === undefined || group.rank === 0;
  const { console = new MessageConsole({ quiet: true }) } = first ? options : { console: unheard() };
  const format = featureFormat(out, options.format);
  await inFirst(group, () => {
    refuseToReplace(format.files(out), out, overwrite);
    return null;
  });
  const run = openSingleRun(options.run, (message) => console.warn(message));
  const forwarding = forwardingOf(run, options);
  const networks = new RunNetworks(run, forwarding.device);
  let file: FeatureFile | undefined;
  try {
    const { config } = networks;
    const dataset = await openJudgedData(options.data ?? {}, config, console);
    const { modalities, samples } = dataset;
    const [set] = askedSets(modalities, [options.images ?? modalityKey(modalities)]) as [readonly string[]];
    const kind = featureKind(
      options.features ?? 'pooled',
      options.patches,
      networks.of(modalities[0]!).backbone.channels.length,
    );
    const cache = await openImages(dataset, config, options.cacheFolder, console);
    if (group !== undefined) sameData(group, cache.dataHash);
    const loader = new ImageLoader(cache, forwarding.device);
    const progress = new Progress(samples.length, console, { title: 'embedding' });
    const facts = {
      program: `anatomy-ssl ${packageVersion()}`,
      ...{ features: kindWord(kind), images: modalityKey(set), data: dataset.name },
      ...{ data_hash: published(cache.dataHash), precision: forwarding.precision },
      ...{ size: String(config.data.size), method: config.method.name, recipe: config.recipe },
    };
    let done = 0;
    let incomplete = 0;
    let table: { readonly columns: number; readonly shape: readonly number[] } | undefined;
    try {
      const chunks = featureStream({
        ...{ encoderFor: (modality) => networks.of(modality), loader, cache, modalities, set, kind },
        ...{ indices: samples.map((_, index) => index), size: config.data.size },
        ...{ normalization: config.data.normalize, ...forwarding, group },
      });
      for await (const { features, shape } of chunks) {
        if (table === undefined) {
          const parts = isAny(set) ? ['any'] : set;
          table = { columns: columnCount({ parts, shape }), shape };
          refuseTooWide(format, table.columns);
          if (first) {
            makeFolderOf(out);
            file = format.open(out, { samples, parts, shape, facts });
          }
        }
        const own = samples.slice(done, done + features.rows);
        file?.write(own, features);
        if (!isAny(set)) incomplete += own.filter(({ images }) => set.some((name) => !images[name])).length;
        done += features.rows;
        progress.update(done);
        // A batch is one synchronous call. This lets the terminal have its turn.
        await new Promise((resolve) => setImmediate(resolve));
      }
      loader.check();
    } finally {
      progress.stop();
      loader.dispose();
    }
    return {
      files: file?.complete() ?? [],
      format: format.name,
      samples: samples.length,
      ...table!,
      features: kindWord(kind),
      images: modalityKey(set),
      incomplete,
      data: dataset.name,
      run: runSummary(run, forwarding),
    };
  } finally {
    file?.abandon();
    networks.dispose();
  }
}

function refuseTooWide({ name, mostColumns }: FeatureFormat, columns: number): void {
  if (mostColumns === undefined || columns <= mostColumns) return;
  throw new UsageError(
    `--format ${name} takes at most ${mostColumns} columns, the features have ${columns}; write .npy or .safetensors, or average cells of the map with --patches 7x7`,
  );
}
