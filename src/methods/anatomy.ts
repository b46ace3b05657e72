/**
 * The paper's method, L = L_C + α·L_Glo (Eq. 12), on four views of each pair, A, B, Â, B̂, through one shared encoder.
 * Its ablations are settings. With more modalities L_AUG runs over all images, and L_C and L_M over all pairs of images
 * that a sample has.
 */
import { UsageError } from '../errors.js';
import {
  type ConsistencyOptions,
  consistencyLoss,
  decorrelation,
  type GlobalTerms,
  joinTerms,
  meanOverParts,
  modalityContrastiveTerms,
  stackedConsistencyLoss,
} from '../losses/index.js';
import { branchOf, disposeModule, namedParameters, placeModule, stateDict } from '../nn/index.js';
import { noGrad, ops, type Tensor, TensorError, tidy } from '../tensor/index.js';
import {
  type AnatomyOptions,
  anatomySchema,
  checkGrids,
  checkRelationSettings,
  commonDefaults,
  consistencyOptions,
  trainsSomething,
} from './anatomySettings.js';
import { Curriculum } from './curriculum.js';
import { defineMethod, hasPair, type MethodContext, requirePairs } from './definition.js';
import { batchMask } from './falseNegatives.js';
import { GradientShare } from './gradientShare.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Term, ViewSpec, Views } from './method.js';
import {
  fixedTargets,
  type PredictionOptions,
  Predictors,
  predictionDefaults,
  predictionName,
} from './prediction.js';
import { imagesOf, indexOf, type MatedPair, matedPairs, ofPresent, takeRows } from './presence.js';
import { Reconstruction, type ReconstructionOptions, reconstructionDefaults } from './reconstruction.js';
import { SharedEncoder } from './sharedEncoder.js';
import { makeViews, viewPart } from './views.js';

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
    checkRelationSettings(options);
    checkGrids(options, run);
  },
  learnsFrom: ({ alpha }, has) => alpha !== 0 || hasPair(has),
  create: (options, context) => new Anatomy(options, context),
});

export class Anatomy extends SharedEncoder implements Method {
  readonly name = 'anatomy';
  readonly comparesBatch = true;
  readonly #options: AnatomyOptions;
  readonly #consistency: ConsistencyOptions;
  readonly #specs: readonly ViewSpec[];
  readonly #common: typeof commonDefaults | undefined;
  readonly #prediction: PredictionOptions;
  readonly #predictors: Predictors | undefined;
  readonly #curriculum: Curriculum | undefined;
  readonly balance: GradientShare | undefined;
  readonly #painting: ReconstructionOptions;
  readonly #reconstruction: Reconstruction | undefined;

  /** @throws TensorError when no term has a weight; UsageError when a setting names a modality that is not there */
  constructor(options: AnatomyOptions, context: MethodContext) {
    if (!trainsSomething(options)) {
      throw new TensorError(
        'anatomy: alpha and consistencyWeight are both 0, so nothing would be trained; raise one, or give reconstruction',
      );
    }
    if (options.alpha === 0) requirePairs('anatomy with alpha 0', context);
    super(context);
    this.#options = options;
    this.#consistency = consistencyOptions(options);
    const look = (as: ViewSpec['look']) => context.modalities.map((modality) => ({ modality, look: as }));
    this.#specs = [...look(options.alignedViews), ...look(0)];
    this.#common = options.common && { ...commonDefaults, ...options.common };
    this.#checkCommon();
    this.#prediction = { ...predictionDefaults, ...options.prediction };
    this.#predictors = this.#makePredictors();
    this.#curriculum =
      options.crossModalFrom === undefined ? undefined : new Curriculum(options.crossModalFrom);
    const { consistencyShare: share, consistencyWeight: start } = options;
    this.balance = share === undefined ? undefined : new GradientShare('consistency', { share, start });
    this.#painting = { ...reconstructionDefaults, ...options.reconstruction };
    this.#reconstruction = this.#makeReconstruction();
  }

  /** @throws UsageError where the common part is no part of the embedding */
  #checkCommon(): void {
    if (this.#common === undefined) return;
    const { embeddingSize, branches } = this.encoder;
    const { share } = this.#common;
    const size = this.#commonSize;
    let fault: string | undefined;
    if (branches === 2 && share !== 0.5) fault = '0.5, as the common part is one of two branches';
    else if (size < 1 || size >= embeddingSize) fault = `a part of the ${embeddingSize} components`;
    if (fault === undefined) return;
    disposeModule(this.encoder);
    throw new UsageError(`method.common.share is ${share}, expected ${fault}`);
  }

  /** The number of components that L_M compares. */
  get #commonSize(): number {
    const { embeddingSize } = this.encoder;
    return this.#common === undefined ? embeddingSize : Math.round(this.#common.share * embeddingSize);
  }

  /** What L_C and the reconstruction read of maps: the second branch, where that is the common part. */
  #aligned(maps: readonly Tensor[]): readonly Tensor[] {
    if (this.#common === undefined || this.encoder.branches === 1) return maps;
    return maps.map((map) => branchOf(map, 1, this.encoder.branches));
  }

  #makePredictors(): Predictors | undefined {
    if (this.#options.crossModal !== 'predict') return undefined;
    const { modalities, seed, device } = this.context;
    const { from, hidden, stopGradient } = this.#prediction;
    if (!['all', 'none', ...modalities].includes(stopGradient)) {
      disposeModule(this.encoder);
      throw new UsageError(
        `method.prediction.stopGradient is ${JSON.stringify(stopGradient)}, expected all, none or one of the modalities ${modalities.join(', ')}`,
      );
    }
    const { embeddingSize: output, backbone } = this.encoder;
    const input = from === 'embedding' ? output : backbone.channels.at(-1)!;
    return placeModule(new Predictors({ modalities, input, output, hidden, seed }), device);
  }

  #makeReconstruction(): Reconstruction | undefined {
    if (this.#options.reconstruction === undefined) return undefined;
    const { modalities, normalization, seed, device } = this.context;
    const { backbone, branches } = this.encoder;
    const shape = {
      input: backbone.channels.at(-1)! / (this.#common === undefined ? 1 : branches),
      channels: this.#painting.channels,
      batchNorm: backbone.batchNorm,
    };
    return placeModule(new Reconstruction({ modalities, normalization, seed, ...shape }), device);
  }

  override parameters(): ReadonlyMap<string, Tensor> {
    const predictors = this.#predictors && namedParameters(this.#predictors, 'predictor.');
    const decoders = this.#reconstruction && namedParameters(this.#reconstruction, 'decoder.');
    return new Map([...super.parameters(), ...(predictors ?? []), ...(decoders ?? [])]);
  }

  override state(): ReadonlyMap<string, Tensor> {
    const predictors = this.#predictors && stateDict(this.#predictors, 'predictor.');
    const decoders = this.#reconstruction && stateDict(this.#reconstruction, 'decoder.');
    const running = [this.#curriculum, this.balance].flatMap((own) => [...(own?.state() ?? [])]);
    return new Map([...super.state(), ...(predictors ?? []), ...(decoders ?? []), ...running]);
  }

  override dispose(): void {
    super.dispose();
    if (this.#predictors !== undefined) disposeModule(this.#predictors);
    if (this.#reconstruction !== undefined) disposeModule(this.#reconstruction);
    this.#curriculum?.dispose();
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

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { maps: hierarchies, consistencyWeight, consistencyViews } = this.#options;
    const { modalities } = this.context;
    const { maps, embedding, features } = this.encoder.forward(views.images, { training: true, record });
    const chosen = hierarchies.map((index) => maps[index]!);
    const mated = this.#mated(views.pairs);
    const nothing = () => embedding.sum().mul(0);
    /** L_C over the un-augmented views, or from `first` on over the augmented ones. */
    const between = (first: number): Tensor =>
      this.#consistencyOf(views.pairs, this.#aligned(chosen), mated, first) ?? nothing();
    const consistency = weighted(this.balance?.weight ?? consistencyWeight, () =>
      consistencyViews === 'aligned' ? between(0) : between(0).add(between(modalities.length)).div(2),
    );
    const painted = this.#reconstruction?.forward(this.#aligned(maps.slice(-1))[0]!, views, mated, {
      record,
    });
    const embeddings = views.specs.map(({ modality, look }, index) => {
      return [look === 0 ? augmented(modality) : modality, viewPart(embedding, views, index)] as const;
    });
    const source = this.#prediction.from === 'embedding' ? embedding : features;
    return {
      embeddings: { ...Object.fromEntries(embeddings), ...this.#predict(views, source) },
      perPair: {
        consistency,
        ...(painted && {
          reconstruction: { value: painted.loss ?? nothing(), weight: this.#painting.weight },
        }),
      },
      maps: Object.fromEntries(hierarchies.map((index, i) => [`map${index}`, chosen[i]!])),
      memory: {},
      ...(painted && { targets: painted.targets }),
    };
  }

  /** What the un-augmented images of each modality predict of each other one. @param source [Σn, input] */
  #predict(views: Views, source: Tensor): Record<string, Tensor> {
    const predictors = this.#predictors;
    if (predictors === undefined) return {};
    const { modalities } = this.context;
    return Object.fromEntries(
      modalities.flatMap((from, view) => {
        const own = viewPart(source, views, view);
        const others = modalities.filter((to) => to !== from);
        return others.map((to) => [predicted(from, to), predictors.forward(from, to, own)] as const);
      }),
    );
  }

  /** L_C of the views from number `first` on, one for each modality; undefined where no sample has two images. */
  #consistencyOf(
    pairs: Pairs,
    maps: readonly Tensor[],
    mated: readonly MatedPair[],
    first: number,
  ): Tensor | undefined {
    if (this.context.modalities.length !== 2 || pairs.present !== undefined) {
      return this.#consistencyOfPairs(pairs, maps, mated, first);
    }
    // The maps hold A's images and then B's, as they are.
    const count = pairs.ids.length;
    return stackedConsistencyLoss(
      maps.map((map) => map.narrow(0, first * count, 2 * count)),
      this.#consistency,
    );
  }

  /** The same, with the second image of each pair of modalities rolled on by `roll` samples. */
  #consistencyOfPairs(
    pairs: Pairs,
    maps: readonly Tensor[],
    mated: readonly MatedPair[],
    first: number,
    roll = 0,
  ): Tensor | undefined {
    const { modalities } = this.context;
    const part = (modality: string, rows: readonly number[] | undefined, by: number): Tensor[] =>
      maps.map((map) => {
        const view = first + modalities.indexOf(modality);
        const images = takeRows(viewPart(map, { specs: this.#specs, pairs }, view), rows);
        return by === 0 ? images : ops.roll(images, [by], [0]);
      });
    return meanOverParts(
      mated.map(({ first: a, second: b, rows, count }) => {
        return {
          value: consistencyLoss(part(a, rows[0], 0), part(b, rows[1], roll), this.#consistency),
          count,
        };
      }),
    );
  }

  loss(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>> {
    const { alpha, tau, positive, crossModal, crossModalWeight: beta = 1, mask } = this.#options;
    const { modalities, subjects, device } = this.context;
    const there = modalities.filter((modality) => imagesOf(pairs, modality) > 0);
    const whole = batchMask(mask, pairs.rows, subjects, device);
    const maskOf = (rows: readonly number[]) =>
      rows === pairs.rows ? whole : batchMask(mask, rows, subjects, device);
    const mated = this.#mated(pairs);
    const modalitiesOf = (part: Part) =>
      there.map((modality) => ({
        clean: part(embeddings[modality]!),
        augmented: part(embeddings[augmented(modality)]!),
        exclude: maskOf(ofPresent(pairs.rows, pairs, modality)),
      }));
    const compared = () =>
      mated.map((pair) => {
        const { first, second, rows, positions } = pair;
        const both = {
          first: there.indexOf(first),
          second: there.indexOf(second),
          rows: [rows[0] && indexOf(rows[0], device), rows[1] && indexOf(rows[1], device)] as const,
          exclude: maskOf(positions?.map((position) => pairs.rows[position]!) ?? pairs.rows),
        };
        if (crossModal !== 'predict') return both;
        const ofSecond = takeRows(embeddings[predicted(first, second)]!, rows[0]);
        const ofFirst = takeRows(embeddings[predicted(second, first)]!, rows[1]);
        const fixed = fixedTargets(this.#prediction, pair);
        return { ...both, predicted: [ofSecond, ofFirst] as const, fixed };
      });
    const options = { tau, positive, crossModal };
    const termsOf = (): GlobalTerms => {
      if (this.#common === undefined) {
        return modalityContrastiveTerms(
          modalitiesOf((x) => x),
          compared(),
          options,
        );
      }
      const rest = modalityContrastiveTerms(modalitiesOf(this.#rest), [], { ...options, crossModal: 'none' });
      const common = modalityContrastiveTerms(modalitiesOf(this.#shared), compared(), options);
      const { augmentation } = rest;
      return {
        ...common,
        augmentation: this.#common.augmentation ? augmentation.add(common.augmentation) : augmentation,
      };
    };
    const global = () => {
      const terms = termsOf();
      if (this.#curriculum === undefined) return joinTerms(terms, beta);
      const { augmentation: chance } = this.#chanceOf(pairs);
      // An image alone has nothing to be told from, and its chance level is 0.
      if (chance > 0) this.#curriculum.see(terms.augmentation.item() / chance);
      return joinTerms(terms, beta * this.#curriculum.weight);
    };
    return { global: weighted(alpha, global), ...this.#decorrelation(embeddings, mated) };
  }

  /** The components of embeddings that belong to the image alone, and those that are common to the modalities. */
  readonly #rest: Part = (x) => x.narrow(1, 0, x.size(1) - this.#commonSize);
  readonly #shared: Part = (x) => x.narrow(1, x.size(1) - this.#commonSize, this.#commonSize);

  /** How much the rest of an image's embedding tells of the rest of its mate's; a mean over the pairs of images. */
  #decorrelation(
    embeddings: Readonly<Record<string, Tensor>>,
    mated: readonly MatedPair[],
  ): Readonly<Record<string, Term>> {
    const weight = this.#common?.decorrelation ?? 0;
    const several = mated.filter(({ count }) => count > 1);
    if (weight === 0 || several.length === 0) return {};
    const restOf = (modality: string, rows: readonly number[] | undefined) =>
      this.#rest(takeRows(embeddings[modality]!, rows));
    const value = meanOverParts(
      several.map(({ first, second, rows, count }) => ({
        value: decorrelation(restOf(first, rows[0]), restOf(second, rows[1])),
        count,
      })),
    )!;
    return { decorrelation: { value, weight } };
  }

  afterStep(): void {
    this.#curriculum?.afterStep();
    this.balance?.afterStep();
  }

  /** The chance levels of L_AUG and of L_M, without weights. */
  #chanceOf(pairs: Pairs): { augmentation: number; crossModal: number } {
    const { positive, crossModal } = this.#options;
    const level = (n: number): number => Math.log(positive === 'twice' ? n + 1 : n);
    const images = this.context.modalities.map((modality) => imagesOf(pairs, modality));
    const mated = crossModal === 'none' ? [] : this.#mated(pairs).map(({ count }) => count);
    return {
      augmentation: (this.#common?.augmentation ? 4 : 2) * weightedMean(images, level),
      crossModal: 2 * weightedMean(mated, level),
    };
  }

  /**
   * Computes the chance levels. That of L_Glo is (2 + 2β)·ln N, or 2·ln N without L_M, with N + 1 in place of N where the
   * positive is counted twice; with more modalities or gaps it is the same mean as the loss. That of L_C is its value
   * with the second image of each pair rolled on by one sample, and that of the reconstruction the error of the mean
   * image; both are left out where no pair has two samples.
   */
  chance({ maps, targets }: Forward, pairs: Pairs, whole: Pairs = pairs): Readonly<Record<string, number>> {
    const { augmentation, crossModal } = this.#chanceOf(whole);
    const { crossModalWeight: beta = 1 } = this.#options;
    const global = augmentation + beta * (this.#curriculum?.weight ?? 1) * crossModal;
    const several = this.#mated(pairs).filter(({ count }) => count > 1);
    if (several.length === 0) return { global };
    const measured = noGrad(() =>
      tidy(() => {
        const shuffled = this.#consistencyOfPairs(pairs, this.#aligned(Object.values(maps)), several, 0, 1);
        const unseen =
          targets && this.#reconstruction?.chance(targets, { specs: this.#specs, pairs }, several);
        return { consistency: shuffled!.item(), ...(unseen && { reconstruction: unseen.item() }) };
      }),
    );
    return { ...measured, global };
  }
}

/** Takes components of embeddings. */
type Part = (x: Tensor) => Tensor;

/** The mean of level(n) over things that come in groups of n; 0 where there is none. */
function weightedMean(groups: readonly number[], level: (n: number) => number): number {
  const total = groups.reduce((sum, n) => sum + n, 0);
  return groups.reduce((sum, n) => (n === 0 ? sum : sum + (n / total) * level(n)), 0);
}

/** The name of the embeddings of a modality's augmented images. */
function augmented(modality: string): string {
  return `augmented ${modality}`;
}

/** The name of what the images of one modality predict of another. */
function predicted(from: string, to: string): string {
  return `predicted ${predictionName(from, to)}`;
}

/** Computes a term. One that is not trained on needs no graph. */
function weighted(weight: number, compute: () => Tensor): Term {
  return { value: weight === 0 ? noGrad(compute) : compute(), weight };
}
