/** The views of a batch: its images as a method looks at them, augmented or not. */
import { type Augmentation, augmentBatch, drawAugmentation, resample } from '../augment/index.js';
import { noGrad, type Tensor, TensorError, tidy, toChannelsLast } from '../tensor/index.js';
import type { Batch, ViewSpec, Views } from './method.js';
import { joinViews, type Normalization, normalize } from './normalization.js';
import { imagesOf, ofPresent } from './presence.js';

export interface ViewOptions {
  /** The side of the views, in pixels. */
  readonly size: number;
  readonly seed: number;
  readonly augmentation: Augmentation;
  /** The modalities whose colours are measurements; see `keepColours` of drawAugmentation. */
  readonly colourCoded?: readonly string[];
  readonly normalization?: Normalization;
}

/** Makes the views of a batch, one after another, in the order of `specs`. */
export function makeViews(batch: Batch, specs: readonly ViewSpec[], options: ViewOptions): Views {
  const { normalization = 'none' } = options;
  const { ids, rows, epoch, present } = batch;
  const pairs = { ids, rows, epoch, ...(present === undefined ? {} : { present }) };
  const images = noGrad(() =>
    tidy(() => {
      const views = specs
        .filter(({ modality }) => imagesOf(pairs, modality) > 0)
        .map((spec) => viewOf(batch, spec, options));
      return toChannelsLast(normalize(joinViews(views), normalization));
    }),
  );
  return { images, specs, pairs };
}

function viewOf(batch: Batch, { modality, look }: ViewSpec, options: ViewOptions): Tensor {
  const { images, epoch } = batch;
  const { size, seed, colourCoded = [] } = options;
  const stored = images[modality];
  if (stored === undefined) {
    throw new TensorError(`the batch has ${Object.keys(images)}, expected modality ${modality}`);
  }
  if (look === 'whole') return resample(stored, null, { size });
  const shared = look === 'shared-crop';
  const augmentation = shared ? geometryAlone(options.augmentation) : options.augmentation;
  const common = {
    seed,
    epoch,
    modality,
    view: shared ? ALIGNED : look,
    source: stored.size(-1),
    keepColours: colourCoded.includes(modality),
  };
  const draws = ofPresent(batch.ids, batch, modality).map((id) =>
    drawAugmentation(augmentation, { ...common, id }),
  );
  return augmentBatch(stored, draws, { size });
}

/** A view number that tells the draws of aligned views apart from those of augmented ones. */
const ALIGNED = -1;

/** Takes only crop and flip of the augmentation, the same for all modalities of a pair, and no change of intensity. */
function geometryAlone({ crop, flip }: Augmentation): Augmentation {
  return { crop, flip, jitter: null, grayscale: 0, blur: null, geometry: 'shared' };
}

/** Takes part `index` out of a tensor that holds the views of a batch one after another, [Σn, …] → [n, …]. */
export function viewPart(x: Tensor, { specs, pairs }: Pick<Views, 'specs' | 'pairs'>, index: number): Tensor {
  const counts = specs.map(({ modality }) => imagesOf(pairs, modality));
  const start = counts.slice(0, index).reduce((sum, count) => sum + count, 0);
  return x.narrow(0, start, counts[index]!);
}
