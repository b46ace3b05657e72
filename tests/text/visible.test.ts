import { expect, test } from 'vitest';
import { visible, visibleJson } from '../../src/text/visible.js';

test.each([
  ['an escape sequence', 'p\u001b[2J\u001b]0;owned\u0007', 'p\\x1b[2J\\x1b]0;owned\\x07'],
  ['a C1 sequence', 'p\u009b31m', 'p\\x9b31m'],
  ['a carriage return that would overwrite', 'error\rfine', 'error\\x0dfine'],
  ['a backspace and a zero', 'a\b\0', 'a\\x08\\x00'],
  ['marks that turn the writing', 'gnp.\u202egpj\u2066\u200f', 'gnp.\\u202egpj\\u2066\\u200f'],
  ['separators that break lines', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
])('%s is shown and not obeyed', (_, text, shown) => {
  expect(visible(text)).toBe(shown);
  expect(JSON.parse(visibleJson([text]))).toEqual([text]);
  expect(visible(visibleJson([text]))).toBe(visibleJson([text]));
});

test('letters of all languages, tabs and line breaks stay', () => {
  const text = 'Müller\t患者 مريض 👩‍⚕️ − ≥\nsecond line';
  expect(visible(text)).toBe(text);
});
