/**
 * The paper's method, L = L_C + α·L_Glo (Eq. 12), on four views of each pair, A, B, Â, B̂, through one shared encoder.
 * Its ablations are settings. With more modalities L_AUG runs over all images, and L_C and L_M over all pairs of images
 * that a sample has.
 */
import { disposeModule, type Module, namedParameters, placeModule, stateDict } from '../../nn/index.js';
import { noGrad, type Tensor, TensorError, tidy } from '../../tensor/index.js';
import { defineMethod, hasPair, type MethodContext, requirePairs } from '../definition.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Term, ViewSpec, Views } from '../method.js';
import { type MatedPair, matedPairs } from '../presence.js';
import { SharedEncoder } from '../sharedEncoder.js';
import { makeViews } from '../views.js';
import { CommonPart } from './commonPart.js';
import { ConsistencyTerm } from './consistencyTerm.js';
import { GlobalTerm } from './globalTerm.js';
import { GradientShare } from './gradientShare.js';
import { Reconstruction, type ReconstructionOptions, reconstructionDefaults } from './reconstruction.js';
import {
  type AnatomyOptions,
  anatomySchema,
  checkGrids,
  checkRelationSettings,
  trainsSomething,
} from './settings.js';

export const anatomy = defineMethod({
  name: 'anatomy',
  summary: 'the paper’s method: consistent patch similarities and a global contrastive loss',
  schema: anatomySchema,
  defaults: {
    name: 'anatomy',
    alpha: 3,
    consistencyWeight: 1,
    tau: 0.07,
    maps: [1, 2, 3, 4],
    patches: [4, 4],
    relation: 'correlation',
    relationTau: null,
    windows: 'floor',
    normalize: 'patch',
    distance: 'mse',
    reduction: 'mean',
    consistencyViews: 'aligned',
    alignedViews: 'whole',
    positive: 'once',
    crossModal: 'both-directions',
    mask: 'none',
  },
  check: (options, run) => {
    checkGrids(options, run);
    checkRelationSettings(options);
  },
  learnsFrom: ({ alpha }, has) => alpha !== 0 || hasPair(has),
  create: (options, context) => new Anatomy(options, context),
});

export class Anatomy extends SharedEncoder implements Method {
  readonly name = 'anatomy';
  readonly comparesBatch = true;
  readonly balance: GradientShare | undefined;
  readonly #options: AnatomyOptions;
  readonly #specs: readonly ViewSpec[];
  readonly #common: CommonPart | undefined;
  readonly #consistency: ConsistencyTerm;
  readonly #global: GlobalTerm;
  readonly #painting: ReconstructionOptions;
  readonly #reconstruction: Reconstruction | undefined;

  /** @throws TensorError when no term has a weight; UsageError when a setting does not fit the network or the data */
  constructor(options: AnatomyOptions, context: MethodContext) {
    if (!trainsSomething(options)) {
      throw new TensorError(
        'anatomy: alpha and consistencyWeight are both 0, so nothing would be trained; raise one, or give reconstruction',
      );
    }
    if (options.alpha === 0) requirePairs('anatomy with alpha 0', context);
    super(context);
    const { encoder } = this;
    const { modalities } = context;
    const { consistencyShare: share, consistencyWeight: start } = options;
    this.#options = options;
    const look = (as: ViewSpec['look']) => modalities.map((modality) => ({ modality, look: as }));
    this.#specs = [...look(options.alignedViews), ...look(0)];
    this.#consistency = new ConsistencyTerm(options, modalities);
    try {
      const common = options.common && new CommonPart(options.common, encoder);
      this.#common = common;
      this.#global = new GlobalTerm(options, context, { encoder, common });
    } catch (error) {
      disposeModule(encoder);
      throw error;
    }
    this.balance = share === undefined ? undefined : new GradientShare('consistency', { share, start });
    this.#painting = { ...reconstructionDefaults, ...options.reconstruction };
    this.#reconstruction = this.#makeReconstruction();
  }

  #makeReconstruction(): Reconstruction | undefined {
    if (this.#options.reconstruction === undefined) return undefined;
    const { modalities, normalization, seed, device } = this.context;
    const { backbone } = this.encoder;
    const shape = {
      input: backbone.channels.at(-1)! * (this.#common?.channels ?? 1),
      stride: backbone.strides.at(-1)!,
      channels: this.#painting.channels,
      // A normalised map is large beside that of a plain VGG16, and a decoder without norm diverges on it.
      batchNorm: backbone.batchNorm || backbone.layerNorm,
    };
    return placeModule(new Reconstruction({ modalities, normalization, seed, ...shape }), device);
  }

  /** What is trained beside the encoder, by the prefix of its names. */
  get #further(): (readonly [prefix: string, module: Module])[] {
    const [predictors, decoders] = [this.#global.predictors, this.#reconstruction];
    return [
      ...(predictors === undefined ? [] : [['predictor.', predictors] as const]),
      ...(decoders === undefined ? [] : [['decoder.', decoders] as const]),
    ];
  }

  override parameters(): ReadonlyMap<string, Tensor> {
    const further = this.#further.flatMap(([prefix, module]) => [...namedParameters(module, prefix)]);
    return new Map([...super.parameters(), ...further]);
  }

  override state(): ReadonlyMap<string, Tensor> {
    const further = this.#further.flatMap(([prefix, module]) => [...stateDict(module, prefix)]);
    const running = [...this.#global.state(), ...(this.balance?.state() ?? [])];
    return new Map([...super.state(), ...further, ...running]);
  }

  override dispose(): void {
    super.dispose();
    for (const [, module] of this.#further) disposeModule(module);
    this.#global.dispose();
    this.balance?.dispose();
  }

  /**
   * Makes the views in the order A, B, Â, B̂, or as many as there are modalities. One forward pass over all of them
   * decides what batch norm sees, which is part of the recipe.
   */
  views(batch: Batch): Views {
    return makeViews(batch, this.#specs, this.context);
  }

  /** Counts the pairs of images that L_C compares. */
  perPairCount(pairs: Pairs): number {
    return this.#mated(pairs).reduce((sum, { count }) => sum + count, 0);
  }

  #mated(pairs: Pairs): MatedPair[] {
    const { modalities, seed } = this.context;
    return matedPairs(pairs, { modalities, seed, pairsPerSample: this.#options.pairsPerSample });
  }

  /** What L_C and the reconstruction read of maps. */
  #aligned(maps: readonly Tensor[]): readonly Tensor[] {
    return this.#common?.maps(maps) ?? maps;
  }

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { maps: hierarchies, consistencyWeight } = this.#options;
    const { maps, embedding, features } = this.encoder.forward(views.images, { training: true, record });
    const chosen = hierarchies.map((index) => maps[index]!);
    const mated = this.#mated(views.pairs);
    const nothing = () => embedding.sum().mul(0);
    const consistency = weighted(
      this.balance?.weight ?? consistencyWeight,
      () => this.#consistency.value(this.#aligned(chosen), views, mated) ?? nothing(),
    );
    const painted = this.#reconstruction?.forward(this.#aligned(maps.slice(-1))[0]!, views, mated, {
      record,
    });
    return {
      embeddings: this.#global.embeddings(views, embedding, features),
      perPair: {
        consistency,
        ...(painted && {
          reconstruction: { value: painted.loss ?? nothing(), weight: this.#painting.weight },
        }),
      },
      maps: Object.fromEntries(hierarchies.map((index, i) => [`map${index}`, chosen[i]!])),
      memory: this.#global.memory(views, embedding),
      ...(painted && { targets: painted.targets }),
    };
  }

  loss(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>> {
    const mated = this.#mated(pairs);
    const global = weighted(this.#options.alpha, () => this.#global.value(embeddings, pairs, mated));
    const decorrelation = this.#global.decorrelation(embeddings, mated);
    return { global, ...(decorrelation && { decorrelation }) };
  }

  afterStep(memory: Readonly<Record<string, Tensor>>, pairs: Pairs): void {
    this.#global.afterStep(memory, pairs);
    this.balance?.afterStep();
  }

  /**
   * Computes the chance levels. That of L_C is its value with the second image of each pair rolled on by one sample, and
   * that of the reconstruction the error of the mean image; both are left out where no pair has two samples.
   */
  chance({ maps, targets }: Forward, pairs: Pairs, whole: Pairs = pairs): Readonly<Record<string, number>> {
    const global = this.#global.chance(whole, this.#mated(whole));
    const several = this.#mated(pairs).filter(({ count }) => count > 1);
    if (several.length === 0) return { global };
    const views = { specs: this.#specs, pairs };
    const measured = noGrad(() =>
      tidy(() => {
        const shuffled = this.#consistency.chance(this.#aligned(Object.values(maps)), views, several);
        const unseen = targets && this.#reconstruction?.chance(targets, views, several);
        return { consistency: shuffled!.item(), ...(unseen && { reconstruction: unseen.item() }) };
      }),
    );
    return { ...measured, global };
  }
}

/** Computes a term. One that is not trained on needs no graph. */
function weighted(weight: number, compute: () => Tensor): Term {
  return { value: weight === 0 ? noGrad(compute) : compute(), weight };
}
