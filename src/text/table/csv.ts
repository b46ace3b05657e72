import { csv } from '../csv.js';
import type { Cell, Table } from './model.js';

/**
 * Writes a table as CSV. Numbers are not rounded; an undefined or missing one is an empty cell. Intervals and spreads
 * belong in columns of their own.
 */
export function csvTable({ columns, rows }: Table): string {
  return csv([columns.map(({ header }) => header), ...rows.map(({ cells }) => cells.map(cellCsv))]);
}

function cellCsv(cell: Cell): string {
  switch (cell.kind) {
    case 'text':
      return cell.text;
    case 'number':
    case 'probability':
      return cell.value === null ? '' : String(cell.value);
    case 'interval':
      return cell.low === null || cell.high === null ? '' : `${cell.low} ${cell.high}`;
    case 'missing':
    case 'none':
      return '';
  }
}
