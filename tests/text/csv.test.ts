import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { csv, unguarded } from '../../src/text/csv.js';
import { readCsv } from '../../src/text/readCsv.js';

const folder = mkdtempSync(join(tmpdir(), 'anatomy-csv-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['=HYPERLINK("http://x")', `"'=HYPERLINK(""http://x"")"`],
  ['+1+cmd', "'+1+cmd"],
  ['-2+3', "'-2+3"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t=1"],
  ['\r=1', `"'\r=1"`],
  ["'=1", "''=1"],
  ['-0.5', '-0.5'],
  ['+1e-7', '+1e-7'],
  ["patient's", "patient's"],
  ["'quoted'", "'quoted'"],
])('the cell %j is written as %j and read back', (cell, written) => {
  expect(csv([[cell, 'next']])).toBe(`${written},next\n`);
  expect(unguarded(written.startsWith('"') ? written.slice(1, -1).replaceAll('""', '"') : written)).toBe(
    cell,
  );
});

test('whatever stands in cells comes back, and no written cell begins a formula', async () => {
  const cell = fc.string({ unit: fc.constantFrom('=', '+', '-', '@', "'", '"', ',', 'a', '1', 'é', '\n') });
  const file = join(folder, 'cells.csv');
  await fc.assert(
    fc.asyncProperty(fc.array(cell, { minLength: 1, maxLength: 4 }), async (cells) => {
      const trimmed = cells.map((one) => one.trim());
      const text = csv([
        ['head', ...trimmed.map(() => 'head')],
        ['first', ...trimmed],
      ]);
      writeFileSync(file, text);
      const { rows } = await readCsv(file, 'the table');
      expect(rows[0]!.cells).toEqual(['first', ...trimmed]);
      for (const one of trimmed) {
        const alone = csv([[one]]).replace(/^"/, '');
        if (/^[=+\-@]/.test(alone)) expect(Number(one)).not.toBeNaN();
      }
    }),
    { numRuns: 200 },
  );
});
