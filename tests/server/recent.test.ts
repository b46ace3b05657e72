import { expect, test } from 'vitest';
import { Recent } from '../../src/server/explorer/recent.js';

test('what was asked for or touched last is kept, and the others are told to leave', () => {
  const left: string[] = [];
  const recent = new Recent<string, string>(2, (value) => left.push(value));
  const ask = (key: string) => recent.get(key, () => `${key}!`);
  ask('a');
  ask('b');
  recent.touch('a');
  recent.touch('nothing'); // is not made
  expect([ask('c'), left]).toEqual(['c!', ['b!']]);
  ask('a');
  ask('d');
  expect(left).toEqual(['b!', 'c!']);
});
