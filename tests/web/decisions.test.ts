import { expect, test } from 'vitest';
import { decisionOf, leftOut } from '../../web/decisions.js';

const suggested = [
  { id: 'a', reason: 'blank (b)' },
  { id: 'b', reason: 'unreadable (a)' },
];

test('what the audit suggests goes, unless it is kept; others stay, unless they are dropped', () => {
  expect(leftOut(suggested, {})).toEqual(suggested);
  const verdicts = { a: 'keep', b: 'wrong label', c: 'drop', d: 'keep', constructor: 'drop' } as const;
  expect(leftOut(suggested, verdicts)).toEqual([
    { id: 'b', reason: 'wrong label' },
    { id: 'c', reason: 'dropped by hand' },
    { id: 'constructor', reason: 'dropped by hand' },
  ]);
  expect(leftOut(suggested, { b: 'drop' })).toEqual(suggested);
});

test('a decision stands over the suggestion, also for ids that are names of JavaScript', () => {
  const decisions = ['a', 'c', 'toString'].map((id) => decisionOf(id, suggested, { a: 'wrong label' }));
  expect(decisions).toEqual(['wrong label', 'keep', 'keep']);
});
