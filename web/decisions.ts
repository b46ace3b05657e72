/** What becomes of samples that an audit found fault with. */
import type { LeftOut } from '../src/server/messages.js';

export const DECISIONS = ['keep', 'drop', 'wrong label'] as const;
export type Decision = (typeof DECISIONS)[number];

/** What was decided, by the id of the sample; the audit's suggestion stands for the others. */
export type Verdicts = Readonly<Record<string, Decision>>;

export function decisionOf(id: string, suggested: readonly LeftOut[], verdicts: Verdicts): Decision {
  return (
    (Object.hasOwn(verdicts, id) ? verdicts[id] : undefined) ??
    (suggested.some((one) => one.id === id) ? 'drop' : 'keep')
  );
}

/** The samples to leave out, those of the audit first. A wrong label is a reason of its own. */
export function leftOut(suggested: readonly LeftOut[], verdicts: Verdicts): LeftOut[] {
  const own = new Map(Object.entries(verdicts));
  const reasons = new Map(suggested.map(({ id, reason }) => [id, reason]));
  for (const [id, decision] of own) {
    if (decision === 'keep') reasons.delete(id);
    else if (decision === 'wrong label') reasons.set(id, 'wrong label');
    else if (!reasons.has(id)) reasons.set(id, 'dropped by hand');
  }
  return [...reasons].map(([id, reason]) => ({ id, reason }));
}
