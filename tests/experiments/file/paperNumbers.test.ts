import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  checkPaperReference,
  paperBlock,
  readPaperBlocks,
} from '../../../src/experiments/file/paperNumbers.js';
import { temporaryFolder } from '../../training/tiny.js';

const GOOD = `notes:
  odd: It is odd.
blocks:
  - table: 2
    pretrained: US-SWE
    data: US-SWE
    protocol: linear classification
    metrics: [AUC, accuracy]
    notes: [odd]
    rows:
      Global: [87.89, 81.07]
`;

function read(text: string) {
  const file = join(temporaryFolder('anatomy-paper-'), 'numbers.yaml');
  writeFileSync(file, text);
  return readPaperBlocks(file);
}

describe('the file of the paper’s numbers', () => {
  test('is read with the texts of its notes', () => {
    expect(read(GOOD)).toMatchObject([{ table: 2, notes: ['It is odd.'], rows: { Global: [87.89, 81.07] } }]);
  });

  test.each([
    [
      'a number is missing',
      GOOD.replace('87.89, ', ''),
      'blocks.0: every row needs one number for each metric',
    ],
    ['a table is none of the paper’s', GOOD.replace('table: 2', 'table: 4'), 'blocks.0.table: '],
    ['a note has no text', GOOD.replace('[odd]', '[other]'), 'there is no note "other"'],
    ['it is not YAML', GOOD.replace('[odd]', '[odd'), 'Flow sequence'],
  ])('is told to be damaged where %s', (_, text, why) => {
    expect(() => read(text)).toThrow(/numbers\.yaml: the paper’s numbers are damaged \(/);
    expect(() => read(text)).toThrow(why);
    expect(() => read(text)).toThrow(/install anatomy-ssl again/);
  });

  test('is told where it is missing', () => {
    expect(() => readPaperBlocks('/nowhere/numbers.yaml')).toThrow(
      '/nowhere/numbers.yaml: the paper’s numbers are damaged (cannot be read: no such file',
    );
  });
});

test('a row that the table does not have is told, with the nearest', () => {
  expect(() => checkPaperReference({ table: 2, row: 'Globl' })).toThrow(
    'the paper’s Table 2 has no row "Globl", expected one of Consistency, Global, Consistency + Global; did you mean Global?',
  );
  expect(() => checkPaperReference({ table: 1, row: 'InstDis-B' })).not.toThrow();
});

test('notes come with the block, whole sentences', () => {
  const block = paperBlock({ table: 3, pretrained: 'US-SWE', protocol: 'linear classification' });
  expect(block?.notes[2]).toBe('Tables 2 and 3 print precision where Table 1 prints F1.');
});
