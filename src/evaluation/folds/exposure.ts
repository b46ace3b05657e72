/** How many of the test samples an encoder met in its pretraining: what makes a judgement transductive. */
import { SET_ASIDE } from '../../data/fold.js';
import { methodNamed } from '../../methods/index.js';
import type { RunEncoder } from '../encoders/runEncoders.js';
import type { Exposure } from '../results/evaluationResult.js';
import type { ImageTrace } from './imageTrace.js';
import type { OuterFold } from './outerFolds.js';
import type { Task } from './task.js';

/** Counts the test samples that the encoder judged on them had met. */
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

function kindOf({ known, inRun }: ImageTrace, positions: readonly number[], seen: number): Exposure['kind'] {
  if (!known) return 'unknown';
  if (seen > 0) return 'transductive';
  return positions.some((position) => inRun[position]) ? 'in-fold' : 'transfer';
}

/** Whether the encoder met an image of the sample in its run. Given weights are taken as they are and meet none. */
function met({ inRun, keptOut }: ImageTrace, { fold, config }: RunEncoder, position: number): boolean {
  if (!trained(config) && config.model.initFrom !== null) return false;
  if (keptOut[position] === SET_ASIDE) return false;
  return inRun[position]! && (fold === 'none' || keptOut[position] !== fold);
}

function trained({ method }: RunEncoder['config']): boolean {
  return methodNamed(method.name)!.trains ?? true;
}
