/** The interface between the training loop and the pretraining methods. */
import type { Encoder } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** The samples of a batch by their names and numbers, with the images that they have. */
export interface Pairs {
  /** The sample ids, which are the keys of every random draw. */
  readonly ids: readonly string[];
  /**
   * The positions among the pairs trained on, from 0 and stable over the run: the rows in which memories keep a pair.
   */
  readonly rows: readonly number[];
  /** The number of the epoch, from 0. */
  readonly epoch: number;
  /**
   * For each modality that some samples lack, the positions in the batch of those that have it, ascending. A modality
   * that all have is left out; absent: nothing is missing.
   */
  readonly present?: Readonly<Record<string, readonly number[]>>;
}

/** A batch as the loader gives it: a method sees tensors, never files. */
export interface Batch extends Pairs {
  /**
   * The images of each modality, uint8 [n, C, S, S] on the training device, C 1 or 3: one for each sample that has it,
   * in the order of the batch.
   */
  readonly images: Readonly<Record<string, Tensor>>;
}

/** One look at the images of one modality. */
export interface ViewSpec {
  readonly modality: string;
  /**
   * The kind of view. `whole` is the un-augmented image. `shared-crop` is one random crop and flip for all modalities
   * of the pair, which stay aligned. A number is an augmented view, and tells it apart from others of the same image.
   */
  readonly look: 'whole' | 'shared-crop' | number;
}

/** All images of a step, one view after another, for one forward pass. */
export interface Views {
  /** The images, f32 [Σn, C, size, size]: of each view, those of the n samples that have its modality. */
  readonly images: Tensor;
  /** The V views, in order. */
  readonly specs: readonly ViewSpec[];
  readonly pairs: Pairs;
}

/** One term of the objective. A term of weight 0 is not trained on, only logged. */
export interface Term {
  /** The value of the term, a scalar. */
  readonly value: Tensor;
  readonly weight: number;
}

export interface Forward {
  /** The embeddings that the loss compares across the batch, [n, d] each: a row for each sample that has the image. */
  readonly embeddings: Readonly<Record<string, Tensor>>;
  /**
   * The terms that stand per pair, averaged over what `Method.perPairCount` counts: they need no other pair, so
   * micro-batches just add up.
   */
  readonly perPair: Readonly<Record<string, Term>>;
  /** Feature maps at which the monitors compare the terms' gradients, by name. */
  readonly maps: Readonly<Record<string, Tensor>>;
  /** The images that the terms per pair reconstruct, [Σn, C, h, w] without graph, of which `chance` is measured. */
  readonly targets?: Tensor;
  /**
   * The tensors of the batch that `afterStep` remembers, without graph, [n, …] each. Those of micro-batches are joined
   * along their rows.
   */
  readonly memory: Readonly<Record<string, Tensor>>;
}

export interface RecordOptions {
  /**
   * Whether batch norm's running statistics move, by default true. Of several passes over a batch only one may move
   * them.
   */
  readonly record?: boolean;
}

/** A term whose weight follows the gradients: the step measures them, and the method sets the weight of the next. */
export interface Balance {
  /** The name of the term. */
  readonly term: string;
  /** Whether this step measures. */
  readonly due: boolean;
  /**
   * Takes the norms over all parameters of the gradient of the weighted term, and of the sum of all others.
   */
  see(own: number, others: number): void;
}

/**
 * One way of pretraining. It holds what is particular to it; the loop owns backward, optimiser, precision,
 * micro-batches, logging and resume, once for all methods.
 */
export interface Method {
  readonly name: string;
  /** Whether `loss` compares pairs with each other. If false, all terms stand per pair, and `loss` is never called. */
  readonly comparesBatch: boolean;
  /** Absent: all weights are fixed. */
  readonly balance?: Balance | undefined;
  /** Everything trained, by the names in the checkpoint. If empty, nothing is trained and the run ends as it starts. */
  parameters(): ReadonlyMap<string, Tensor>;
  /** Everything a checkpoint must hold: parameters, running statistics, banks, queues, momentum encoders. */
  state(): ReadonlyMap<string, Tensor>;
  /** Augments on the device, without gradient. */
  views(batch: Batch): Views;
  forward(views: Views, options?: RecordOptions): Forward;
  /**
   * Counts what the terms that stand per pair average over, such as the pairs of images; absent: the samples. The
   * terms of a micro-batch weigh as much as their share of it.
   */
  perPairCount?(pairs: Pairs): number;
  /** Computes the terms that compare the whole batch, by name. */
  loss?(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>>;
  /**
   * Each term's value when nothing has been learned, for the monitors.
   *
   * @param pairs the samples of this forward pass
   * @param whole those of the whole batch, of which the pass may be a micro-batch; by default the same
   */
  chance(forward: Forward, pairs: Pairs, whole?: Pairs): Readonly<Record<string, number>>;
  /** Updates momentum encoders, banks and queues after the optimiser's step, from the memory of the whole batch. */
  afterStep?(memory: Readonly<Record<string, Tensor>>, pairs: Pairs): void;
  /** The encoder that judges and exports use for a modality. */
  encoderFor(modality: string): Encoder;
  dispose(): void;
}
