import { expect, it } from 'vitest';
import { nearest } from '../../src/text/nearest.js';

it('the nearest word is the candidate a slip away, whatever its case', () => {
  expect(nearest('pairz', ['pairs', 'seed'])).toBe('pairs');
  expect(nearest('sede', ['pairs', 'seed'])).toBe('seed');
  expect(nearest('LABEL', ['id', 'label'])).toBe('label');
});

it('no word is offered that is far away', () => {
  expect(nearest('colour', ['pairs', 'seed'])).toBeUndefined();
  expect(nearest('b', ['x', 'yz'])).toBeUndefined();
  expect(nearest('b', [])).toBeUndefined();
});
