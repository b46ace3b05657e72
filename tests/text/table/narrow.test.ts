import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { markdownGrid } from '../../../src/text/table/markdown.js';
import { narrowTables } from '../../../src/text/table/narrow.js';

const header = ['encoder', 'features', 'images', 'AUC', 'AUPRC', 'ACC'];
const rows = [
  ['run', 'pooled', 'a', '0.812 [0.7, 0.9]', '0.7 [0.6, 0.8]', '0.75'],
  ['run', 'pooled', 'a+b', '0.912 [0.8, 1.0]', '0.8 [0.7, 0.9]', '0.85'],
  ['untrained', 'pooled', 'a', '0.612 [0.5, 0.7]', '0.5 [0.4, 0.6]', '—'],
];
const table = markdownGrid(header, rows);
const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

describe('narrowTables', () => {
  test('leaves what fits as it is, to the byte', () => {
    expect(narrowTables(`## a\n\n${table}\n\nnote\n`, longest(table))).toBe(`## a\n\n${table}\n\nnote\n`);
    expect(narrowTables('a line | with bars | that is long\n', 5)).toBe(
      'a line | with bars | that is long\n',
    );
  });

  test('splits a wider one, and repeats the columns that tell the rows apart', () => {
    expect(narrowTables(`before\n\n${table}\n\nafter`, 60)).toBe(`before

| encoder   | features | images | AUC              |
|-----------|----------|--------|------------------|
| run       | pooled   | a      | 0.812 [0.7, 0.9] |
| run       | pooled   | a+b    | 0.912 [0.8, 1.0] |
| untrained | pooled   | a      | 0.612 [0.5, 0.7] |

| encoder   | features | images | AUPRC          | ACC  |
|-----------|----------|--------|----------------|------|
| run       | pooled   | a      | 0.7 [0.6, 0.8] | 0.75 |
| run       | pooled   | a+b    | 0.8 [0.7, 0.9] | 0.85 |
| untrained | pooled   | a      | 0.5 [0.4, 0.6] | —    |

after`);
  });

  test('lists the rows where not even one column fits beside their names', () => {
    expect(narrowTables(table, 40)).toBe(`run, pooled, a
  AUC    0.812 [0.7, 0.9]
  AUPRC  0.7 [0.6, 0.8]
  ACC    0.75

run, pooled, a+b
  AUC    0.912 [0.8, 1.0]
  AUPRC  0.8 [0.7, 0.9]
  ACC    0.85

untrained, pooled, a
  AUC    0.612 [0.5, 0.7]
  AUPRC  0.5 [0.4, 0.6]
  ACC    —`);
  });

  test('puts as many columns beside each other as fit, at every width', () => {
    // The names take 32 characters, the end of a line one, and AUC, AUPRC and ACC 19, 17 and 7.
    const blocks = (width: number) => {
      const narrow = narrowTables(table, width);
      expect(longest(narrow)).toBeLessThanOrEqual(width);
      return narrow.split('\n\n').map((block) =>
        block
          .split('\n')[0]!
          .replace(/.*images \|/, '')
          .match(/\w+/g),
      );
    };
    const apart = [['AUC'], ['AUPRC'], ['ACC']];
    const lastTwo = [['AUC'], ['AUPRC', 'ACC']];
    const firstTwo = [['AUC', 'AUPRC'], ['ACC']];
    for (let width = 52; width < 57; width += 1) expect(blocks(width)).toEqual(apart);
    for (let width = 57; width < 69; width += 1) expect(blocks(width)).toEqual(lastTwo);
    for (let width = 69; width < 76; width += 1) expect(blocks(width)).toEqual(firstTwo);
    expect(longest(table)).toBe(76);
  });

  test('loses no cell, and is as narrow as asked wherever its names and widest cell allow', () => {
    const cell = fc
      .string({ unit: fc.constantFrom('a', 'b', '|', '\\|', '1', '—', ' '), maxLength: 12 })
      .map((text) => text.trim().replace(/\\+/g, ''));
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }).chain((columns) =>
          fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), {
            minLength: 2,
            maxLength: 5,
          }),
        ),
        fc.integer({ min: 20, max: 80 }),
        ([head, ...body], width) => {
          const whole = markdownGrid(head!, body);
          const text = narrowTables(whole, width);
          for (const one of body.flat()) expect(text.replaceAll('\\|', '|')).toContain(one);
          // In lists only cells are long. A cell may be `|||`, so that the rule of a table is told by its minus signs.
          if (/^\|-[-|]*\|$/m.test(text)) expect(longest(text)).toBeLessThanOrEqual(width);
          else expect(longest(whole)).toBeGreaterThan(width);
        },
      ),
    );
  });
});
