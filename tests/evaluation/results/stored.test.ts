import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DataError } from '../../../src/errors.js';
import { parseStored, storedNumber } from '../../../src/evaluation/results/stored.js';

const schema = z.object({ value: storedNumber, name: z.string() });
const told = { expected: 'is no result', command: 'anatomy evaluate' };
const parse = (content: unknown) => parseStored(schema, content, 'x.json', told);

describe('a stored number', () => {
  test('is null when the computation had none or an older version wrote none', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, null, undefined]) {
      expect(parse({ value, name: 'a' })).toEqual({ value: null, name: 'a' });
    }
    expect(parse({ name: 'a' })).toEqual({ value: null, name: 'a' });
    expect(parse({ value: 0.5, name: 'a' })).toEqual({ value: 0.5, name: 'a' });
  });

  test('is read as it was written', () => {
    const result = parse({ value: Number.NaN, name: 'a' });
    expect(parse(JSON.stringify(result))).toEqual(result);
  });
});

describe('a stored result', () => {
  test('is refused when it is damaged, with the file, the field and the command that makes it anew', () => {
    expect(() => parse('{')).toThrow(DataError);
    expect(() => parse('{')).toThrow(/^x\.json: is not JSON \(.*\); run anatomy evaluate again$/);
    expect(() => parse({ value: 'high', name: 'a' })).toThrow(
      'x.json: is no result of this version (value: Invalid input: expected number, received string); run anatomy evaluate again',
    );
    expect(() => parse({ value: 1 })).toThrow(/\(name: /);
  });
});
