/** What a finished cell leaves: the content of `cells/ID.json`. */
import { z } from 'zod';
import { evaluationResult } from '../../evaluation/results/evaluationResult.js';
import { pairsResult } from '../../evaluation/results/pairsResult.js';
import type { Immutable } from '../../evaluation/results/stored.js';

const tree = z.record(z.string(), z.unknown());

const finished = z.object({
  version: z.literal(1),
  /** All that decides its numbers, but for the machine. */
  settings: tree,
  /** Duration of the process that finished it; a resumed one counts from there. */
  seconds: z.number(),
  /** LibTorch’s threads. */
  threads: z.number(),
  /** Folder of the run, seen from the experiment’s folder. */
  run: z.string(),
});

const pretraining = finished.extend({
  kind: z.literal('pretrain'),
  steps: z.number(),
  /** As in the run: versions, hardware, data and seed. */
  provenance: tree,
});

/** The result without values by patient, which no table of an experiment shows. */
const cellResult = evaluationResult.omit({ patients: true });

const evaluation = finished.extend({ kind: z.literal('evaluate'), result: cellResult });

const pairs = finished.extend({ kind: z.literal('pairs'), result: pairsResult });

export const storedCell = z.discriminatedUnion('kind', [pretraining, evaluation, pairs]);

export type FinishedPretraining = Immutable<z.output<typeof pretraining>>;
export type StoredResult = Immutable<z.output<typeof cellResult>>;
export type FinishedEvaluation = Immutable<z.output<typeof evaluation>>;
export type FinishedPairs = Immutable<z.output<typeof pairs>>;
export type StoredCell = FinishedPretraining | FinishedEvaluation | FinishedPairs;
