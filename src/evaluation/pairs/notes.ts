import type { Dataset } from '../../data/sample.js';
import { type JudgedRun, separateModalities } from '../encoders/runEncoders.js';
import type { Exposure } from '../results/evaluationResult.js';
import type { PairMeasure, PairsData } from '../results/pairsResult.js';
import type { Computed } from '../results/stored.js';
import { exposureNotes, simulatedNotes, unfinishedNotes } from '../summary/notes.js';
import type { Masks } from './masks.js';
import type { PairPlan } from './plan.js';

export interface PairNotes {
  readonly run: JudgedRun;
  readonly dataset: Dataset;
  readonly data: PairsData;
  readonly plan: PairPlan;
  readonly exposure: Exposure;
  readonly masks: Masks;
  readonly measures: readonly Computed<PairMeasure>[];
}

/** Lists what a reader must know to read the numbers rightly, one sentence each. */
export function pairNotes({ run, dataset, data, plan, exposure, masks, measures }: PairNotes): string[] {
  const notes = [...unfinishedNotes(run, 'measured'), ...exposureNotes(run, exposure), ...choiceNotes(data)];
  const { encoders } = run;
  const pairs = plan.positions.length;
  if (encoders.length > 1 && plan.chosen === 'all') {
    notes.push('The run has an encoder a fold, and none has seen these pairs: the first one measured all.');
  }
  if (plan.setAside > 0) notes.push(`${plan.setAside} pairs are set aside: they were not touched.`);
  notes.push(...simulatedNotes(dataset));
  if (separateModalities(encoders[0]!).length > 0) {
    notes.push(
      'A and B have an encoder each: nothing asks their maps and embeddings to have the same axes, so what compares both in one space (distance, retrieval, L_Glo) rests on the loss alone.',
    );
  }
  notes.push(
    'Encoders are in evaluation mode (batch norm with its running statistics), so L_C and L_Glo differ a little from those logged in training.',
  );
  if (masks.lesion.size === 0) {
    notes.push('No lesion is known, so nothing is told inside and around one; give masks with --masks.');
  } else {
    const missing = masks.missing === 0 ? '' : ` (${masks.missing} have no mask file)`;
    notes.push(
      `${masks.lesion.size} of ${pairs} pairs have a known lesion${missing}; zones are told for these alone.`,
    );
  }
  for (const { key, pairs: defined, value, low } of measures) {
    if (Number.isNaN(value))
      notes.push(`${key} is undefined: no pair has such patches, or none has an order of them.`);
    else if (Number.isNaN(low))
      notes.push(`${key} has no interval: its ${defined} pairs are of one subject.`);
  }
  const part = measures.filter(
    ({ zone = 'all', pairs: defined }) => zone === 'all' && defined > 0 && defined < pairs,
  );
  for (const { key, pairs: defined } of part) {
    notes.push(
      `${key} is told for ${defined} of ${pairs} pairs: the others have patches that are all alike, or no stranger.`,
    );
  }
  return notes;
}

/** Says which two of several modalities are measured, and how many samples lack one of them. */
function choiceNotes({ modalities, among, lacking }: PairsData): string[] {
  const [a, b] = modalities;
  return [
    ...(among === undefined
      ? []
      : [`A is ${a} and B is ${b}, of the modalities ${among.join(', ')}; --pair measures two others.`]),
    ...(lacking === undefined
      ? []
      : [
          `${lacking} ${lacking === 1 ? 'sample lacks' : 'samples lack'} ${a} or ${b}, and cannot be measured.`,
        ]),
  ];
}
