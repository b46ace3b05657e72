/** The interface between the training loop and the pretraining methods. */
import type { Encoder } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** The pairs of a batch by their names and numbers. */
export interface Pairs {
  /** The sample ids, which are the keys of every random draw. */
  readonly ids: readonly string[];
  /**
   * The positions among the pairs trained on, from 0 and stable over the run: the rows in which memories keep a pair.
   */
  readonly rows: readonly number[];
  /** The number of the epoch, from 0. */
  readonly epoch: number;
}

/** A batch as the loader gives it: a method sees tensors, never files. */
export interface Batch extends Pairs {
  /** The images of each modality, uint8 [B, C, S, S] on the training device, C 1 or 3. */
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
  /** The images, f32 [V·B, C, size, size]. */
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
  /** The embeddings that the loss compares across the batch, [B, d] each. */
  readonly embeddings: Readonly<Record<string, Tensor>>;
  /** The terms that stand per pair, averaged over the pairs: they need no other pair, so micro-batches just add up. */
  readonly perPair: Readonly<Record<string, Term>>;
  /** Feature maps at which the monitors compare the terms' gradients, by name. */
  readonly maps: Readonly<Record<string, Tensor>>;
  /** The tensors of the batch that `afterStep` remembers, without graph, one row for each pair: [B, …] each. */
  readonly memory: Readonly<Record<string, Tensor>>;
}

export interface RecordOptions {
  /**
   * Whether batch norm's running statistics move, by default true. Of several passes over a batch only one may move
   * them.
   */
  readonly record?: boolean;
}

/**
 * One way of pretraining. It holds what is particular to it; the loop owns backward, optimiser, precision,
 * micro-batches, logging and resume, once for all methods.
 */
export interface Method {
  readonly name: string;
  /** Whether `loss` compares pairs with each other. If false, all terms stand per pair, and `loss` is never called. */
  readonly comparesBatch: boolean;
  /** Everything trained, by the names in the checkpoint. If empty, nothing is trained and the run ends as it starts. */
  parameters(): ReadonlyMap<string, Tensor>;
  /** Everything a checkpoint must hold: parameters, running statistics, banks, queues, momentum encoders. */
  state(): ReadonlyMap<string, Tensor>;
  /** Augments on the device, without gradient. */
  views(batch: Batch): Views;
  forward(views: Views, options?: RecordOptions): Forward;
  /** Computes the terms that compare the whole batch, by name. */
  loss?(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>>;
  /** Each term's value when nothing has been learned, for the monitors. @param pairs in the whole batch */
  chance(forward: Forward, pairs: number): Readonly<Record<string, number>>;
  /** Updates momentum encoders, banks and queues after the optimiser's step, from the memory of the whole batch. */
  afterStep?(memory: Readonly<Record<string, Tensor>>, pairs: Pairs): void;
  /** The encoder that judges and exports use for a modality. */
  encoderFor(modality: string): Encoder;
  dispose(): void;
}
