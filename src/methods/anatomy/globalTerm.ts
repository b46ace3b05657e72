/** L_Glo of a batch, the term of the paper's method that compares images, and what may stand in the place of L_M. */
import {
  decorrelation,
  type GlobalTerms,
  joinTerms,
  meanOverParts,
  modalityContrastiveTerms,
} from '../../losses/index.js';
import { type Encoder, type Module, placeModule } from '../../nn/index.js';
import { ops, type Tensor, tensor } from '../../tensor/index.js';
import { bankDefaults } from '../bankContrast.js';
import type { MethodContext } from '../definition.js';
import { batchMask } from '../falseNegatives.js';
import { InstanceBank } from '../instanceBank.js';
import type { Pairs, Term, Views } from '../method.js';
import { imagesOf, indexOf, type MatedPair, ofPresent, takeRows } from '../presence.js';
import { viewPart } from '../views.js';
import type { CommonPart } from './commonPart.js';
import { Curriculum } from './curriculum.js';
import {
  checkStopGradient,
  fixedTargets,
  type PredictionOptions,
  Predictors,
  predictionDefaults,
  predictionName,
} from './prediction.js';
import type { AnatomyOptions } from './settings.js';

type Embeddings = Readonly<Record<string, Tensor>>;

/** Takes components of embeddings. */
type Part = (x: Tensor) => Tensor;

export class GlobalTerm {
  readonly #options: AnatomyOptions;
  readonly #context: MethodContext;
  readonly #common: CommonPart | undefined;
  readonly #prediction: PredictionOptions;
  readonly #predictors: Predictors | undefined;
  readonly #curriculum: Curriculum | undefined;
  /** The bank that trains the rest, where it is not L_AUG. */
  readonly #bank: InstanceBank | undefined;
  /** The bank's estimate of its normaliser in this step, for `afterStep`. */
  #estimate: number | undefined;

  /** @throws UsageError when a setting names a modality that is not there */
  constructor(
    options: AnatomyOptions,
    context: MethodContext,
    { encoder, common }: { encoder: Encoder; common: CommonPart | undefined },
  ) {
    this.#options = options;
    this.#context = context;
    this.#common = common;
    this.#prediction = { ...predictionDefaults, ...options.prediction };
    if (options.crossModal === 'predict') {
      const { modalities, seed, device } = context;
      checkStopGradient(this.#prediction, modalities);
      const { embeddingSize: output, backbone } = encoder;
      const input = this.#prediction.from === 'embedding' ? output : backbone.channels.at(-1)!;
      const { hidden } = this.#prediction;
      this.#predictors = placeModule(new Predictors({ modalities, input, output, hidden, seed }), device);
    }
    if (common?.options.rest === 'bank') {
      const { tau, mask } = options;
      const settings = { ...bankDefaults, tau, mask, dimension: common.restSize };
      this.#bank = new InstanceBank({ ...settings, modalities: context.modalities }, context);
    }
    if (options.crossModalFrom !== undefined) this.#curriculum = new Curriculum(options.crossModalFrom);
  }

  /** What is trained beside the encoder. */
  get predictors(): Module | undefined {
    return this.#predictors;
  }

  /** What changes over the run and is not trained. */
  state(): ReadonlyMap<string, Tensor> {
    return new Map([...(this.#curriculum?.state() ?? []), ...(this.#bank?.state() ?? [])]);
  }

  /** What `afterStep` needs of the images of a forward pass. @param embedding [Σn, d], of all views */
  memory(views: Views, embedding: Tensor): Readonly<Record<string, Tensor>> {
    const { modalities } = this.#context;
    // The bank keeps augmented images, which are the second half of the views.
    return (
      this.#bank?.memory((_, m) => this.#common!.rest(viewPart(embedding, views, modalities.length + m))) ??
      {}
    );
  }

  afterStep(memory: Embeddings, pairs: Pairs): void {
    this.#curriculum?.afterStep();
    const estimate = this.#estimate;
    const estimates = estimate === undefined ? undefined : tensor([estimate], [1], { dtype: 'f64' });
    this.#bank?.remember(memory, pairs, estimates);
    this.#estimate = undefined;
  }

  dispose(): void {
    this.#curriculum?.dispose();
    this.#bank?.dispose();
  }

  /**
   * The embeddings that the loss compares, by name: those of the views, and what the un-augmented images of each
   * modality predict of each other one.
   *
   * @param embedding [Σn, d], of all views
   * @param features [Σn, C], the last map averaged
   */
  embeddings(views: Views, embedding: Tensor, features: Tensor): Embeddings {
    const own = views.specs.map(({ modality, look }, index) => {
      return [look === 0 ? augmented(modality) : modality, viewPart(embedding, views, index)] as const;
    });
    const predictors = this.#predictors;
    if (predictors === undefined) return Object.fromEntries(own);
    const { modalities } = this.#context;
    const source = this.#prediction.from === 'embedding' ? embedding : features;
    const predictions = modalities.flatMap((from, view) => {
      const x = viewPart(source, views, view);
      const others = modalities.filter((to) => to !== from);
      return others.map((to) => [predicted(from, to), predictors.forward(from, to, x)] as const);
    });
    return Object.fromEntries([...own, ...predictions]);
  }

  /** L_AUG + β·L_M, a scalar, without α. */
  value(embeddings: Embeddings, pairs: Pairs, mated: readonly MatedPair[]): Tensor {
    const { crossModalWeight: beta = 1 } = this.#options;
    const terms = this.#terms(embeddings, pairs, mated);
    if (this.#curriculum === undefined) return joinTerms(terms, beta);
    const { augmentation: chance } = this.#chanceOf(pairs, mated);
    // An image alone has nothing to be told from, and its chance level is 0.
    if (chance > 0) this.#curriculum.see(terms.augmentation.item() / chance);
    return joinTerms(terms, beta * this.#curriculum.weight);
  }

  #terms(embeddings: Embeddings, pairs: Pairs, mated: readonly MatedPair[]): GlobalTerms {
    const { tau, positive, crossModal, mask } = this.#options;
    const { modalities, subjects, device } = this.#context;
    const there = modalities.filter((modality) => imagesOf(pairs, modality) > 0);
    const whole = batchMask(mask, pairs.rows, subjects, device);
    const maskOf = (rows: readonly number[]) =>
      rows === pairs.rows ? whole : batchMask(mask, rows, subjects, device);
    const modalitiesOf = (part: Part) =>
      there.map((modality) => ({
        clean: part(embeddings[modality]!),
        augmented: part(embeddings[augmented(modality)]!),
        exclude: maskOf(ofPresent(pairs.rows, pairs, modality)),
      }));
    const compared = mated.map((pair) => {
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
    const common = this.#common;
    if (common === undefined) {
      return modalityContrastiveTerms(
        modalitiesOf((x) => x),
        compared,
        options,
      );
    }
    const rest = () => modalitiesOf((x) => common.rest(x));
    const augmentation =
      this.#instances(embeddings, pairs) ??
      modalityContrastiveTerms(rest(), [], { ...options, crossModal: 'none' }).augmentation;
    const shared = modalityContrastiveTerms(
      modalitiesOf((x) => common.shared(x)),
      compared,
      options,
    );
    return {
      ...shared,
      augmentation: common.options.augmentation ? augmentation.add(shared.augmentation) : augmentation,
    };
  }

  /** The loss of the rest against the bank; undefined where there is none. */
  #instances(embeddings: Embeddings, pairs: Pairs): Tensor | undefined {
    if (this.#bank === undefined) return undefined;
    const rest = this.#context.modalities.map((modality) =>
      this.#common!.rest(embeddings[augmented(modality)]!),
    );
    const { loss, estimate } = this.#bank.contrast.compare(
      ops.cat(rest, 0),
      this.#bank.rowsOf(pairs),
      pairs.epoch,
    );
    this.#estimate = estimate?.mean().item();
    return loss;
  }

  /** How much the rest of an image's embedding tells of the rest of its mate's; a mean over the pairs of images. */
  decorrelation(embeddings: Embeddings, mated: readonly MatedPair[]): Term | undefined {
    const common = this.#common;
    const several = mated.filter(({ count }) => count > 1);
    if (common === undefined || common.options.decorrelation === 0 || several.length === 0) return undefined;
    const restOf = (modality: string, rows: readonly number[] | undefined) =>
      common.rest(takeRows(embeddings[modality]!, rows));
    const value = meanOverParts(
      several.map(({ first, second, rows, count }) => ({
        value: decorrelation(restOf(first, rows[0]), restOf(second, rows[1])),
        count,
      })),
    )!;
    return { value, weight: common.options.decorrelation };
  }

  /**
   * The chance level: (2 + 2β)·ln N, or 2·ln N without L_M, with N + 1 in place of N where the positive is counted
   * twice; with more modalities or gaps it is the same mean as the loss.
   */
  chance(pairs: Pairs, mated: readonly MatedPair[]): number {
    const { crossModalWeight: beta = 1 } = this.#options;
    const { augmentation, crossModal } = this.#chanceOf(pairs, mated);
    return augmentation + beta * (this.#curriculum?.weight ?? 1) * crossModal;
  }

  /** The chance levels of L_AUG and of L_M, without weights. */
  #chanceOf(
    pairs: Pairs,
    mated: readonly MatedPair[],
  ): { readonly augmentation: number; readonly crossModal: number } {
    const { positive, crossModal } = this.#options;
    const level = (n: number): number => Math.log(positive === 'twice' ? n + 1 : n);
    const images = this.#context.modalities.map((modality) => imagesOf(pairs, modality));
    const counts = crossModal === 'none' ? [] : mated.map(({ count }) => count);
    const inBatch = 2 * weightedMean(images, level);
    const rest = this.#bank?.contrast.chance ?? inBatch;
    return {
      augmentation: rest + (this.#common?.options.augmentation ? inBatch : 0),
      crossModal: 2 * weightedMean(counts, level),
    };
  }
}

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
