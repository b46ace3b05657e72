/**
 * The paper's method: L = L_C + α·L_Glo (Eq. 12) on four views of each pair, A, B, Â, B̂, through one shared encoder.
 */
import { type Augmentation, augmentBatch, drawAugmentation, resample } from '../augment/index.js';
import {
  type ConsistencyOptions,
  consistencyLoss,
  type GlobalContrastiveOptions,
  globalContrastiveLoss,
  type PairEmbeddings,
  stackedConsistencyLoss,
} from '../losses/index.js';
import { disposeModule, type Encoder, namedParameters, stateDict } from '../nn/index.js';
import { noGrad, ops, type Tensor, TensorError, tidy, toChannelsLast } from '../tensor/index.js';
import type { Batch, Forward, Method, Term, Views } from './method.js';
import { joinViews, type Normalization, normalize } from './normalization.js';

export interface AnatomyOptions extends ConsistencyOptions, GlobalContrastiveOptions {
  encoder: Encoder;
  /** The two modalities, A and B. */
  modalities: readonly [string, string];
  /** Side of the views. */
  size: number;
  seed: number;
  augmentation: Augmentation;
  /** Modalities whose colours are measurements; see `keepColours` of drawAugmentation. */
  colourCoded?: readonly string[];
  normalization?: Normalization;
  /** Hierarchies Q: indices of the encoder's maps. */
  maps?: readonly number[];
  alpha?: number;
  consistencyWeight?: number;
}

export class Anatomy implements Method {
  readonly name = 'anatomy';
  readonly #options: AnatomyOptions;

  /** @throws TensorError when both weights are 0 */
  constructor(options: AnatomyOptions) {
    if (options.alpha === 0 && options.consistencyWeight === 0) {
      throw new TensorError('anatomy: alpha and consistencyWeight are both 0, so nothing would be trained');
    }
    this.#options = options;
  }

  parameters(): ReadonlyMap<string, Tensor> {
    return namedParameters(this.#options.encoder);
  }

  state(): ReadonlyMap<string, Tensor> {
    return stateDict(this.#options.encoder);
  }

  /** Views in the order A, B, Â, B̂. One forward over all four decides what batch norm sees: it is part of the recipe. */
  views({ images, ids, epoch }: Batch): Views {
    const { modalities, size, seed, augmentation, colourCoded = [], normalization = 'none' } = this.#options;
    return noGrad(() =>
      tidy(() => {
        const stored = modalities.map((modality) => {
          const tensor = images[modality];
          if (tensor === undefined) {
            throw new TensorError(
              `anatomy: the batch has ${Object.keys(images)}, expected modality ${modality}`,
            );
          }
          return tensor;
        });
        const clean = stored.map((tensor) => resample(tensor, null, { size }));
        const augmented = stored.map((tensor, i) => {
          const modality = modalities[i]!;
          const keepColours = colourCoded.includes(modality);
          const source = tensor.size(-1);
          const draws = ids.map((id) =>
            drawAugmentation(augmentation, { seed, epoch, id, modality, source, keepColours }),
          );
          return augmentBatch(tensor, draws, { size });
        });
        const all = normalize(joinViews([...clean, ...augmented]), normalization);
        return { images: toChannelsLast(all), pairs: ids.length };
      }),
    );
  }

  forward({ images, pairs }: Views): Forward {
    const { encoder, maps: hierarchies = [1, 2, 3, 4], consistencyWeight = 1 } = this.#options;
    const { maps, embedding } = encoder.forward(images, { training: true });
    const view = (x: Tensor, index: number): Tensor => ops.narrow(x, 0, index * pairs, pairs);
    const chosen = hierarchies.map((index) => maps[index]!);
    const consistency = weighted(consistencyWeight, () =>
      stackedConsistencyLoss(
        chosen.map((map) => ops.narrow(map, 0, 0, 2 * pairs)),
        this.#options,
      ),
    );
    return {
      embeddings: {
        a: view(embedding, 0),
        b: view(embedding, 1),
        aHat: view(embedding, 2),
        bHat: view(embedding, 3),
      },
      perPair: { consistency },
      maps: Object.fromEntries(hierarchies.map((index, i) => [`map${index}`, chosen[i]!])),
    };
  }

  loss(embeddings: Readonly<Record<string, Tensor>>): Readonly<Record<string, Term>> {
    const { alpha = 3 } = this.#options;
    const views = embeddings as unknown as PairEmbeddings;
    return { global: weighted(alpha, () => globalContrastiveLoss(views, this.#options)) };
  }

  /** L_Glo: 4·ln N, or 4·ln(N + 1) with the positive counted twice. L_C: its value with B rolled on by one pair. */
  chance({ maps, embeddings }: Forward): Readonly<Record<string, number>> {
    const pairs = embeddings.a!.size(0);
    const shuffled = noGrad(() =>
      tidy(() => {
        const chosen = Object.values(maps);
        const a = chosen.map((map) => ops.narrow(map, 0, 0, pairs));
        const b = chosen.map((map) => ops.roll(ops.narrow(map, 0, pairs, pairs), [1], [0]));
        return consistencyLoss(a, b, this.#options).item();
      }),
    );
    const rows = this.#options.positive === 'twice' ? pairs + 1 : pairs;
    return { consistency: shuffled, global: 4 * Math.log(rows) };
  }

  afterStep(): void {}

  encoderFor(): Encoder {
    return this.#options.encoder;
  }

  dispose(): void {
    disposeModule(this.#options.encoder);
  }
}

/** A term that is not trained on needs no graph. */
function weighted(weight: number, compute: () => Tensor): Term {
  return { value: weight === 0 ? noGrad(compute) : compute(), weight };
}
