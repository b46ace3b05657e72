import { readFile } from 'node:fs/promises';
import { CsvError, parse } from 'csv-parse/sync';
import { DataError } from '../errors.js';
import { unguarded } from './csv.js';

export interface CsvRow {
  /** The number of the line, counted from 1, for messages. */
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * Reads the lines of a CSV file, the header included. Cells are trimmed, and empty lines left out.
 *
 * @param what the name of the file for messages, such as `the manifest`
 * @throws DataError if it cannot be read, or is not CSV with as many cells in each line
 */
export async function readCsvRows(file: string, what: string): Promise<CsvRow[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such file' : error.message;
    throw new DataError(`${file}: ${what} cannot be read: ${reason}. Check the path.`);
  });
  try {
    const rows = parse(text, { bom: true, info: true, skip_empty_lines: true, trim: true }) as unknown as {
      info: { lines: number };
      record: string[];
    }[];
    return rows.map(({ info, record }) => ({ line: info.lines, cells: record.map(unguarded) }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new DataError(
      `${file}:${String(error.lines ?? 1)}: is not valid CSV: ${error.message}. ` +
        'Every line needs as many commas as the header; put cells that hold commas or quotes in double quotes.',
    );
  }
}
