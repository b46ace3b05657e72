import type { Encoder } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** The pairs of a batch, by what they are called. */
export interface Pairs {
  /** Sample ids, keys of every random draw. */
  readonly ids: readonly string[];
  /** Positions among the pairs trained on, from 0 and stable over the run: where memories keep what belongs to a pair. */
  readonly rows: readonly number[];
  /** Counted from 0. */
  readonly epoch: number;
}

/** A batch as the loader gives it: a method sees tensors, never files. */
export interface Batch extends Pairs {
  /** Per modality uint8 [B, C, S, S] on the training device, C 1 or 3. */
  readonly images: Readonly<Record<string, Tensor>>;
}

/** One look at the images of one modality. */
export interface ViewSpec {
  readonly modality: string;
  /**
   * `whole`: the un-augmented image. `shared-crop`: one random crop and flip for all modalities of the pair, which so stay
   * aligned. A number: an augmented view, told apart from others of the same image by it.
   */
  readonly look: 'whole' | 'shared-crop' | number;
}

/** All images of a step, one view after another, for one forward pass. */
export interface Views {
  /** f32 [V·B, C, size, size]. */
  readonly images: Tensor;
  /** The V views, in order. */
  readonly specs: readonly ViewSpec[];
  readonly pairs: Pairs;
}

/** One term of the objective. A term of weight 0 is not trained on, only logged. */
export interface Term {
  /** Scalar. */
  readonly value: Tensor;
  readonly weight: number;
}

export interface Forward {
  /** What the loss compares across the batch, [B, d] each. */
  readonly embeddings: Readonly<Record<string, Tensor>>;
  /** Terms that stand per pair, averaged over the pairs: they need no other pair, so micro-batches just add up. */
  readonly perPair: Readonly<Record<string, Term>>;
  /** Feature maps at which the monitors compare the terms' gradients, by name. */
  readonly maps: Readonly<Record<string, Tensor>>;
  /** What `afterStep` is to remember of the batch, without graph and one row a pair: [B, …] each. */
  readonly memory: Readonly<Record<string, Tensor>>;
}

export interface RecordOptions {
  /** Whether batch norm's running statistics move, as by default: of several passes over a batch only one may do so. */
  readonly record?: boolean;
}

/**
 * What is particular to one way of pretraining. Split so that the loop owns backward, optimiser, precision, micro-batches,
 * logging and resume, once for all methods.
 */
export interface Method {
  readonly name: string;
  /** Whether `loss` compares pairs with each other; otherwise all terms stand per pair, and it is never called. */
  readonly comparesBatch: boolean;
  /** Everything trained, by the names in the checkpoint. Empty: nothing is trained, and the run ends as it starts. */
  parameters(): ReadonlyMap<string, Tensor>;
  /** Everything a checkpoint must hold: parameters, running statistics, banks, queues, momentum encoders. */
  state(): ReadonlyMap<string, Tensor>;
  /** Augments on the device, without gradient. */
  views(batch: Batch): Views;
  forward(views: Views, options?: RecordOptions): Forward;
  /** Terms that compare the whole batch, by name. */
  loss?(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>>;
  /** Each term's value when nothing has been learned, for the monitors. @param pairs in the whole batch */
  chance(forward: Forward, pairs: number): Readonly<Record<string, number>>;
  /** After the optimiser's step, with the memory of the whole batch: momentum encoders, banks, queues. */
  afterStep?(memory: Readonly<Record<string, Tensor>>, pairs: Pairs): void;
  /** The encoder that judges and exports use for a modality. */
  encoderFor(modality: string): Encoder;
  dispose(): void;
}
