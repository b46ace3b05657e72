import { expect, it } from 'vitest';
import { nearest } from '../../src/text/nearest.js';

it('finds the candidate a slip away, whatever its case', () => {
  expect(nearest('pairz', ['pairs', 'seed'])).toBe('pairs');
  expect(nearest('sede', ['pairs', 'seed'])).toBe('seed');
  expect(nearest('LABEL', ['id', 'label'])).toBe('label');
});

it('offers nothing that is far away', () => {
  expect(nearest('colour', ['pairs', 'seed'])).toBeUndefined();
  expect(nearest('b', ['x', 'yz'])).toBeUndefined();
  expect(nearest('b', [])).toBeUndefined();
});
