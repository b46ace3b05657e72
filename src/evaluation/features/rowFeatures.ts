/**
 * This room computes the features that the rows of a table are judged by: of the run's encoders, of the same encoder
 * untrained, and of thumbnails.
 */
import type { ImageCache } from '../../data/cache/decodedImages.js';
import { ImageLoader } from '../../data/loading/loader.js';
import type { MessageConsole } from '../../log/console.js';
import { Progress } from '../../log/progress.js';
import type { Features } from '../../metrics/features/features.js';
import { disposeModule } from '../../nn/index.js';
import type { Device } from '../../tensor/index.js';
import { calibrate } from '../../training/embed.js';
import type { Precision } from '../../training/precision.js';
import { emptyEncoder, loadWeights, type RunEncoder, untrainedEncoder } from '../encoders/runEncoders.js';
import type { FoldPlan, OuterFold } from '../folds/outerFolds.js';
import type { Task } from '../folds/task.js';
import type { FeatureKind, RowName, RowSource } from '../results/evaluationResult.js';
import type { EncoderFeatures } from '../results/featureKinds.js';
import { modalityKey } from '../results/modalitySets.js';
import { FeatureStore, weightsDigest } from './featureStore.js';
import { type NamedEncoder, type Representations, represent } from './representations.js';
import { thumbnails } from './thumbnails.js';

/**
 * Names the rows of a table: the run, the same encoder untrained, and thumbnails, each on every given set of
 * modalities.
 */
export function rowNames(kinds: readonly EncoderFeatures[], sets: readonly (readonly string[])[]): RowName[] {
  const named = (source: RowSource, features: FeatureKind): RowName[] =>
    sets.map((set) => ({
      key: `${source}/${features}/${modalityKey(set)}`,
      source,
      features,
      modalities: set,
    }));
  return [
    ...kinds.flatMap((kind) => named('run', kind)),
    ...kinds.flatMap((kind) => named('untrained', kind)),
    ...named('thumbnail', 'pixels'),
  ];
}

/**
 * Gives the features of a row, [n, columns] with one line for each sample of the task, from the encoder of the round.
 * The lines of samples that lack an image of the row are NaN.
 */
export type FeaturesOf = (round: OuterFold, row: RowName) => Features;

export interface FeatureSources {
  readonly task: Task;
  readonly cache: ImageCache;
  readonly plan: FoldPlan;
  readonly kinds: readonly EncoderFeatures[];
  /** All modalities of the data. */
  readonly modalities: readonly string[];
  /** The sets of modalities that are judged. */
  readonly sets: readonly (readonly string[])[];
  readonly device: Device;
  readonly precision: Precision;
  /** The folder of all caches. */
  readonly cacheFolder?: string | undefined;
}

/** Features for thumbnail rows alone; no encoder is run. */
export function thumbnailFeatures({
  cache,
  task,
  sets,
}: Pick<FeatureSources, 'cache' | 'task' | 'sets'>): FeaturesOf {
  const pixels = thumbnails(cache, task.positions, sets);
  return (_, { features, modalities }) => pixels.get(`${features}/${modalityKey(modalities)}`)!;
}

/**
 * Runs every encoder once over the images, unless an earlier protocol did. The untrained encoder runs once for each
 * fold, calibrated on the fold's training images, and only where rows ask for it: over all folds that is most of the
 * work.
 */
export async function rowFeatures(
  names: readonly RowName[],
  sources: FeatureSources,
  console: MessageConsole,
): Promise<FeaturesOf> {
  const { task, cache, plan, kinds, modalities, sets, device, precision, cacheFolder } = sources;
  const asked = names.some(({ source }) => source === 'untrained');
  const { positions } = task;
  // All folds share one network, since their encoders differ in the weights only.
  const { config } = plan.rounds[0]!.encoder;
  const { size, normalize: normalization } = config.data;
  const loader = new ImageLoader(cache, device);
  const network = emptyEncoder(config, device);
  const random = untrainedEncoder(config, device);
  const calibrated = random.backbone.batchNorm;
  const common = { loader, size, normalization, precision, device };
  const { dataHash } = cache;
  const store = new FeatureStore(
    { dataHash, model: config.model, size, normalization, precision, device },
    cacheFolder,
  );
  const represented = (encoderFor: (modality: string) => NamedEncoder) =>
    represent({ ...common, cache, modalities, encoderFor, indices: positions, sets, kinds, store });
  const randomWeights = weightsDigest(random);

  const trained = new Map<RunEncoder, Representations>();
  const untrained = new Map<number, Representations>();
  const pixels = thumbnails(cache, positions, sets);
  const progress = new Progress(plan.rounds.length, console, { title: 'embedding' });
  try {
    for (const [done, { fold, pool, encoder }] of plan.rounds.entries()) {
      if (!trained.has(encoder)) {
        const loaded = (modality: string): NamedEncoder => {
          loadWeights(encoder, network, modality, { needsHead: kinds.includes('head') });
          return { name: weightsDigest(network), ready: async () => network };
        };
        trained.set(encoder, await represented(loaded));
      }
      if (asked) {
        // Without batch norm there is nothing to calibrate, and all folds share the features.
        const earlier = calibrated ? undefined : untrained.values().next().value;
        const indices = pool.map((i) => positions[i]!);
        let calibration: Promise<void> | undefined;
        const ready = async () => {
          if (calibrated) calibration ??= calibrate({ ...common, encoder: random, indices }, modalities);
          await calibration;
          return random;
        };
        const name = calibrated ? [randomWeights, modalities, indices] : randomWeights;
        untrained.set(fold, earlier ?? (await represented(() => ({ name, ready }))));
      }
      progress.update(done + 1);
      // A pass over the images is one synchronous call. This lets the terminal have its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    loader.check();
  } finally {
    progress.stop();
    disposeModule(network);
    disposeModule(random);
    loader.dispose();
  }
  return ({ fold, encoder }, { source, features, modalities: set }) => {
    const found = { run: trained.get(encoder)!, untrained: untrained.get(fold)!, thumbnail: pixels }[source];
    return found.get(`${features}/${modalityKey(set)}`)!;
  };
}
