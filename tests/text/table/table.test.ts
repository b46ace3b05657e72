import { parseHTML } from 'linkedom';
import { describe, expect, test } from 'vitest';
import { csvTable } from '../../../src/text/table/csv.js';
import { htmlTable } from '../../../src/text/table/html.js';
import { latexTable } from '../../../src/text/table/latex.js';
import { markdownTable } from '../../../src/text/table/markdown.js';
import {
  type Cell,
  intervalCell,
  MISSING,
  NONE,
  number,
  pValue,
  type Table,
  tableOf,
  text,
} from '../../../src/text/table/model.js';

/** A table of one cell behind a name. */
function of(cell: Cell, { strong = false } = {}): Table {
  return tableOf(
    [cell],
    [
      { header: 'name', words: true, cell: () => text('ours') },
      { header: 'value', strong, cell: (one) => one },
    ],
  );
}

const documentOf = (table: Table, brackets = false) =>
  parseHTML(`<html><body>${htmlTable(table, { className: 'numbers', brackets })}</body></html>`).document;

/** The cell in each of the four formats. */
function shown(cell: Cell): [markdown: string, latex: string, csv: string, html: string] {
  const table = of(cell);
  return [
    markdownTable(table).split('\n')[2]!.split(' | ')[1]!.replace(/ *\|$/, ''),
    /^ours & (.*) \\\\$/m.exec(latexTable(table))![1]!,
    csvTable(table).split('\n')[1]!.replace('ours,', ''),
    documentOf(table).querySelector('td')!.innerHTML,
  ];
}

describe('a cell', () => {
  test('is a number with its spread and its interval, in full in CSV', () => {
    expect(shown(number(0.81234, { deviation: 0.01, low: 0.78, high: 0.84, runs: 3 }))).toEqual([
      '0.812 ± 0.010 [0.780, 0.840]',
      '0.812 $\\pm$ 0.010 [0.780, 0.840]',
      '0.81234',
      '0.812<br><small>0.780 to 0.840</small><br><small>± 0.010, 3 runs</small>',
    ]);
  });

  test('is a difference with the sign of all its numbers but the spread', () => {
    expect(shown(number(-0.05, { as: 'difference', deviation: 0.01, low: -0.1, high: 0.01 }))).toEqual([
      '−0.050 ± 0.010 [−0.100, +0.010]',
      '$-$0.050 $\\pm$ 0.010 [$-$0.100, +0.010]',
      '-0.05',
      '−0.050<br><small>−0.100 to +0.010</small><br><small>± 0.010</small>',
    ]);
  });

  test('is a ratio, with chance in round brackets', () => {
    expect(shown(number(0.5, { as: 'ratio', places: 2, chance: 1 })).slice(0, 2)).toEqual([
      '× 0.50 (1.00)',
      '$\\times$ 0.50 (1.00)',
    ]);
  });

  test('is marked as the best or second best', () => {
    expect(shown(number(0.5, { mark: 'best', low: 0.4, high: 0.6 })).slice(0, 2)).toEqual([
      '**0.500** [0.400, 0.600]',
      '\\textbf{0.500} [0.400, 0.600]',
    ]);
    expect(shown(number(0.5, { mark: 'best' }))[3]).toContain('<b class="best"');
    expect(shown(number(0.5, { mark: 'second' })).slice(0, 2)).toEqual(['*0.500*', '\\underline{0.500}']);
    expect(shown(number(0.5, { mark: 'second' }))[3]).toContain('<span class="second"');
  });

  test('tells what is missing from what is undefined, and both from what cannot be', () => {
    expect(shown(number(undefined))).toEqual(['—', '---', '', '–']);
    expect(shown(number(null))).toEqual(['–', '--', '', '–']);
    expect(shown(number(Number.NaN, { low: Number.NaN, high: Number.NaN }))[0]).toBe('–');
    expect(shown(NONE)).toEqual(['', '', '', '–']);
    expect(MISSING).toEqual(number(undefined));
  });

  test('shows an undefined interval on a page, where one belongs to the number', () => {
    expect(shown(number(0.5, { low: null, high: null }))[3]).toBe('0.500<br><small>–</small>');
    expect(shown(number(0.5, { low: null, high: null }))[0]).toBe('0.500');
  });

  test('is a p-value that is never 0', () => {
    expect(shown(pValue(0.0001))).toEqual(['< 0.001', '$<$ 0.001', '0.0001', '&lt; 0.001']);
    expect(shown(pValue(undefined))[0]).toBe('–');
  });

  test('is an interval by itself', () => {
    expect(shown(intervalCell(-0.1, 0.2, true))).toEqual([
      '−0.100 to +0.200',
      '$-$0.100 to +0.200',
      '-0.1 0.2',
      '−0.100 to +0.200',
    ]);
  });

  test('is text that is escaped as its format needs', () => {
    expect(shown(text('a|b & <i>"c", 5 %</i>'))).toEqual([
      'a\\|b & <i>"c", 5 %</i>',
      'a|b \\& $<$i$>$"c", 5 \\%$<$/i$>$',
      '"a|b & <i>""c"", 5 %</i>"',
      'a|b &amp; &lt;i&gt;"c", 5 %&lt;/i&gt;',
    ]);
  });
});

describe('a table', () => {
  test('has its caption before it and its notes behind it', () => {
    const table: Table = {
      ...of(number(0.5)),
      title: 'AUC',
      caption: 'How *it* was.',
      notes: ['One.', 'Two.'],
    };
    expect(markdownTable(table)).toBe(
      [
        'How *it* was.\n',
        '| name | value |',
        '|------|-------|',
        '| ours | 0.500 |\n',
        'One.\n',
        'Two.',
      ].join('\n'),
    );
    expect(latexTable(table)).toContain('\\caption{AUC. How \\emph{it} was. One. Two.}');
    const page = documentOf(table);
    expect(page.querySelector('caption')!.textContent).toBe('How *it* was.');
    expect(page.querySelector('[role=region]')!.getAttribute('aria-label')).toBe('AUC');
    expect([...page.querySelectorAll('p.notes')].map(({ textContent }) => textContent)).toEqual([
      'One.',
      'Two.',
    ]);
  });

  test('has strong numbers, the folds’ own values and labels on a page', () => {
    const folds = number(0.5, { folds: { mean: 0.52, deviation: 0.1 } });
    expect(documentOf(of(folds, { strong: true })).querySelector('td')!.innerHTML).toBe(
      '<b>0.500</b><br><small>0.520 ± 0.100</small>',
    );
    const labelled = documentOf(of(text('x', 'in-fold')));
    expect(labelled.querySelector('td .tag.in-fold')!.textContent).toBe('in-fold');
    const inBrackets = documentOf(of(number(0.5, { low: 0.4, high: 0.6 })), true);
    expect(inBrackets.querySelector('td')!.textContent).toBe('0.500 [0.400,\u00a00.600]');
  });

  test('draws a line where rows of another kind begin', () => {
    const kinds = ['run', 'run', 'baseline', 'baseline'];
    const table = tableOf(kinds, [{ header: 'kind', words: true, cell: text }], { kindOf: (kind) => kind });
    const rows = [...documentOf(table).querySelectorAll('tbody tr')];
    expect(rows.map((row) => row.getAttribute('class'))).toEqual([
      ...['run', 'run', 'baseline first', 'baseline'],
    ]);
  });

  test('has a line of LaTeX that may begin with a bracket', () => {
    const table = tableOf(
      ['[x]'],
      [
        { header: 'a', words: true, cell: text },
        { header: 'b', cell: () => number(1) },
      ],
    );
    expect(latexTable(table)).toContain('\n{}[x] & 1.000 \\\\\n');
  });

  test('writes Greek letters in words that plain LaTeX knows', () => {
    const table = tableOf(
      ['β 0.3', 'τ 0.07_a'],
      [
        { header: 'a', words: true, cell: text },
        { header: 'λ', cell: () => number(1) },
      ],
    );
    const lines = latexTable(table).split('\n');
    expect(lines).toContain('a & $\\lambda$ \\\\');
    expect(lines).toContain('$\\beta$ 0.3 & 1.000 \\\\');
    expect(lines).toContain('$\\tau$ 0.07\\_a & 1.000 \\\\');
  });
});
