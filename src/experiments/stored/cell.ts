/** The content of `cells/ID.json`, the result of a finished cell. */
import { z } from 'zod';
import { untestedIfFew, writtenEvaluation } from '../../evaluation/results/evaluationResult.js';
import { pairsResult } from '../../evaluation/results/pairsResult.js';
import type { Immutable } from '../../evaluation/results/stored.js';

const tree = z.record(z.string(), z.unknown());

const finished = z.object({
  version: z.literal(1),
  /** All settings that decide the result, without those of the machine. */
  settings: tree,
  /** Duration in seconds of the process that finished the cell; a resumed one counts from its own start. */
  seconds: z.number(),
  /** The number of threads that LibTorch used. */
  threads: z.number(),
  /** The folder of the run, relative to the experiment’s folder. */
  run: z.string(),
});

const pretraining = finished.extend({
  kind: z.literal('pretrain'),
  steps: z.number(),
  /** The run's own record of versions, hardware, data and seed. */
  provenance: tree,
});

/** A result without its values by patient, which no table of an experiment shows. */
const cellResult = writtenEvaluation.omit({ patients: true }).transform(untestedIfFew);

const evaluation = finished.extend({ kind: z.literal('evaluate'), result: cellResult });

const pairs = finished.extend({ kind: z.literal('pairs'), result: pairsResult });

export const storedCell = z.discriminatedUnion('kind', [pretraining, evaluation, pairs]);

export type FinishedPretraining = Immutable<z.output<typeof pretraining>>;
export type StoredResult = Immutable<z.output<typeof cellResult>>;
export type FinishedEvaluation = Immutable<z.output<typeof evaluation>>;
export type FinishedPairs = Immutable<z.output<typeof pairs>>;
export type StoredCell = FinishedPretraining | FinishedEvaluation | FinishedPairs;
