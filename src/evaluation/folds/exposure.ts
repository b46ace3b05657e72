/** Counts the test samples that an encoder saw in its pretraining. If it saw any, the judgement is transductive. */
import { SET_ASIDE } from '../../data/fold.js';
import { methodNamed } from '../../methods/index.js';
import type { RunEncoder } from '../encoders/runEncoders.js';
import type { Exposure } from '../results/evaluationResult.js';
import type { ImageTrace } from './imageTrace.js';
import type { OuterFold } from './outerFolds.js';
import type { Task } from './task.js';

/**
 * Finds how the pretraining data and the test samples overlap. Each test sample counts with the encoder that is judged
 * on it.
 */
export function exposureOf(
  { rounds }: { readonly rounds: readonly Pick<OuterFold, 'test' | 'encoder'>[] },
  { positions }: Pick<Task, 'positions'>,
  trace: ImageTrace,
): Exposure {
  const seen = rounds.flatMap(({ test, encoder }) => test.map((i) => met(trace, encoder, positions[i]!)));
  const seenTestSamples = seen.filter(Boolean).length;
  const { config } = rounds[0]!.encoder;
  const kind = trained(config) ? kindOf(trace, positions, seenTestSamples) : 'untrained';
  const namesakes = positions.filter((position) => trace.namesake[position]).length;
  return {
    kind,
    seenTestSamples,
    testSamples: seen.length,
    ...(namesakes > 0 && trained(config) ? { namesakes } : {}),
  };
}

/** Names the kind of overlap for a trained encoder that saw `seen` of the test samples. */
function kindOf({ known, inRun }: ImageTrace, positions: readonly number[], seen: number): Exposure['kind'] {
  if (!known) return 'unknown';
  if (seen > 0) return 'transductive';
  return positions.some((position) => inRun[position]) ? 'in-fold' : 'transfer';
}

/**
 * True when the encoder saw an image of the sample in its run. An encoder that takes given weights and trains nothing
 * saw none.
 */
function met({ inRun, keptOut }: ImageTrace, { fold, config }: RunEncoder, position: number): boolean {
  if (!trained(config) && config.model.initFrom !== null) return false;
  if (keptOut[position] === SET_ASIDE) return false;
  return inRun[position]! && (fold === 'none' || keptOut[position] !== fold);
}

function trained({ method }: RunEncoder['config']): boolean {
  return methodNamed(method.name)!.trains ?? true;
}
