import { fixed, interval, probability, signed, signedInterval } from '../numbers.js';
import type { Cell, NumberCell } from './model.js';

export interface CellWords {
  /** The number or word of the cell, which carries the mark. */
  readonly value: string;
  /** The rest of the cell: spread, interval and chance. */
  readonly rest: string;
}

/** Writes a cell in a line of text, as in `0.812 ± 0.010 [0.780, 0.840]`. */
export function cellWords(cell: Cell): CellWords {
  switch (cell.kind) {
    case 'text':
      return { value: cell.text, rest: '' };
    case 'number':
      return { value: valueWords(cell), rest: restWords(cell) };
    case 'interval':
      return {
        value: cell.signed ? signedInterval(cell.low, cell.high) : interval(cell.low, cell.high),
        rest: '',
      };
    case 'probability':
      return { value: probability(cell.value), rest: '' };
    case 'missing':
      return { value: '—', rest: '' };
    case 'none':
      return { value: '', rest: '' };
  }
}

export function valueWords({ value, places, as }: NumberCell): string {
  if (as === 'difference') return signed(value, places);
  return as === 'ratio' ? `× ${fixed(value, places)}` : fixed(value, places);
}

function restWords({ places, as, low, high, deviation, chance }: NumberCell): string {
  const end = (value: number) => (as === 'difference' ? signed(value, places) : fixed(value, places));
  return [
    isKnown(deviation) ? ` ± ${fixed(deviation, places)}` : '',
    isKnown(low) && isKnown(high) ? ` [${end(low)}, ${end(high)}]` : '',
    chance === undefined ? '' : ` (${fixed(chance, places)})`,
  ].join('');
}

/** Tells whether a number is present and defined. */
export function isKnown(value: number | null | undefined): value is number {
  return value !== undefined && value !== null && !Number.isNaN(value);
}
