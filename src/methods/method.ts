import type { Encoder } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** A batch as the loader gives it: a method sees tensors, never files. */
export interface Batch {
  /** Per modality uint8 [B, C, S, S] on the training device, C 1 or 3. */
  readonly images: Readonly<Record<string, Tensor>>;
  /** Sample ids, keys of every random draw. */
  readonly ids: readonly string[];
  /** Counted from 0. */
  readonly epoch: number;
}

/** All images of a step, one view after another, for one forward pass. */
export interface Views {
  /** f32 [V·B, C, size, size]. */
  readonly images: Tensor;
  /** B. */
  readonly pairs: number;
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
}

/**
 * What is particular to one way of pretraining. Split so that the loop owns backward, optimiser, precision, logging and
 * resume, and gradient caching and gathering across machines can live there once for all methods.
 */
export interface Method {
  readonly name: string;
  /** Everything trained, by the names in the checkpoint. */
  parameters(): ReadonlyMap<string, Tensor>;
  /** Everything a checkpoint must hold: parameters, running statistics, banks. */
  state(): ReadonlyMap<string, Tensor>;
  /** Augments on the device, without gradient. */
  views(batch: Batch): Views;
  forward(views: Views): Forward;
  /** Terms that compare the whole batch, by name. */
  loss(embeddings: Readonly<Record<string, Tensor>>): Readonly<Record<string, Term>>;
  /** Each term's value when nothing has been learned, for the monitors. */
  chance(forward: Forward): Readonly<Record<string, number>>;
  /** After the optimiser's step: momentum encoders, queues. */
  afterStep(): void;
  /** The encoder that judges and exports use for a modality. */
  encoderFor(modality: string): Encoder;
  dispose(): void;
}
