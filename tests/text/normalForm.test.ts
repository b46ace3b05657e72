import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalForm, spelledAlike } from '../../src/text/normalForm.js';

describe('normalForm', () => {
  test.each([
    ['case', 'P01', 'p01'],
    ['zeros before a number', '001', '1'],
    ['zeros before a number in a name', 'P001', 'P1'],
    ['a number as pandas writes it in a column with a gap', '7', '7.0'],
    ['a number as Excel writes it', '1000', '1E+03'],
    ['a sign that says nothing', '+1', '1'],
    ['zero and its sign', '0', '-0.0'],
    ['long numbers', '0012345678901234567891', '12345678901234567891.0'],
    ['spaces around', ' P01\t', 'P01'],
    ['spaces inside', 'P 01', 'P01'],
    ['several spaces', 'Anna  Muster', 'Anna Muster'],
    ['a space that does not break', 'Anna\u00A0Muster', 'Anna Muster'],
    ['composed and decomposed letters', 'L\u00E4sion', 'La\u0308sion'],
    ['ß in upper case', 'Strauß', 'STRAUSS'],
    ['full width', '\uFF10\uFF10\uFF17', '7'],
    ['Arabic digits', '\u0660\u0661', '1'],
    ['kinds of dashes', 'P\u20131', 'P-1'],
    ['a byte order mark', '\uFEFFP1', 'P1'],
    ['a space of no width', 'P\u200B1', 'P1'],
    ['a NUL at the end, as old DICOM writers pad', 'P1\0', 'P1'],
  ])('takes names as one that differ in %s', (_, one, other) => {
    expect(normalForm(one)).toBe(normalForm(other));
  });

  test.each([
    ['1', '10'],
    ['1', '-1'],
    ['7', '7.5'],
    ['1 2', '12'],
    ['1-1', '11'],
    ['P1', 'P10'],
    ['1.2.840.10', '1.2.840.1'],
    ['1.2.840.01', '1.2.840.1'],
    ['benign', 'malignant'],
    ['12345678901234567890', '12345678901234567891'],
    ['0', ''],
  ])('keeps %j and %j apart', (one, other) => {
    expect(normalForm(one)).not.toBe(normalForm(other));
  });

  test('is its own normal form in other case, spaces around and the other Unicode form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const form = normalForm(name);
        expect(normalForm(` ${name}\n`)).toBe(form);
        expect(normalForm(name.normalize('NFD'))).toBe(form);
        expect(normalForm(name.toUpperCase())).toBe(form);
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[1-9]\d{0,30}$/), (number) => {
        const form = normalForm(number);
        for (const other of [`0${number}`, `${number}.0`, `${number}.`, `${number}e0`])
          expect(normalForm(other)).toBe(form);
        expect(normalForm(`${number}0`)).not.toBe(form);
      }),
    );
  });
});

test('spelledAlike groups different spellings, in the order given', () => {
  expect(spelledAlike(['2', 'P1', '02', 'p1', 'x', '2'])).toEqual([
    ['2', '02'],
    ['P1', 'p1'],
  ]);
});
