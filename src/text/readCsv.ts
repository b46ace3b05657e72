import { readFile } from 'node:fs/promises';
import { CsvError, parse } from 'csv-parse/sync';
import { DataError } from '../errors.js';
import { unguarded } from './csv.js';
import { numbered } from './numbers.js';

export interface CsvRow {
  /** The number of the line in which the row ends, counted from 1, for messages. */
  readonly line: number;
  readonly cells: readonly string[];
}

export interface CsvTable {
  /** The names of the columns; undefined where the file holds nothing. */
  readonly header?: CsvRow;
  /** The lines below, each with as many cells as the header. */
  readonly rows: readonly CsvRow[];
  /** Sentences that say what was assumed of the file. */
  readonly warnings: readonly string[];
}

/**
 * Reads a table as spreadsheets and other programs save it: with commas, semicolons, tabs or bars between the cells,
 * as the header or a first line `sep=;` tells; in UTF-8, UTF-16 or else Windows-1252; with any line ends. Spaces
 * around cells go, and so do lines and nameless columns without content.
 *
 * @param what the name of the file for messages, such as `the manifest`
 * @throws DataError if it cannot be read, or is not CSV with as many cells in each line
 */
export async function readCsv(file: string, what: string): Promise<CsvTable> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such file' : error.message;
    throw new DataError(`${file}: ${what} cannot be read: ${reason}. Check the path.`);
  });
  const { text, encoding } = decoded(bytes);
  const warnings =
    encoding === 'windows-1252'
      ? [
          `${file}: is not in UTF-8 and is read as Windows-1252 (Latin-1). If names look wrong, save it as "CSV UTF-8".`,
        ]
      : [];
  return { ...withoutEmptyColumns(parsed(text, file), file), warnings };
}

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

function decoded(bytes: Buffer): { text: string; encoding: Encoding } {
  const encoding = encodingOf(bytes);
  // Node's decoder knows no big-endian UTF-16 in builds without full ICU, so the bytes are swapped here.
  if (encoding !== 'utf-16be') return { text: new TextDecoder(encoding).decode(bytes), encoding };
  const even = Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2))).swap16();
  return { text: new TextDecoder('utf-16le').decode(even), encoding };
}

/** Finds the encoding by the mark at the beginning, else by where the zeros of UTF-16 lie, else by trying UTF-8. */
function encodingOf(bytes: Buffer): Encoding {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first !== 0 && second === 0) return 'utf-16le';
  if (first === 0 && second !== 0 && bytes.length > 1) return 'utf-16be';
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return 'utf-8';
  } catch {
    return 'windows-1252';
  }
}

const DELIMITERS = [',', ';', '\t', '|'] as const;
const LINE_ENDS = ['\r\n', '\n', '\r'];

function parsed(text: string, file: string): CsvRow[] {
  // Excel reads the delimiter from such a line and shows no row for it.
  const said = /^"?sep=([^\r\n])"?(?:\r\n|\n|\r|$)/i.exec(text);
  const content = said === null ? text : text.slice(said[0].length);
  const before = said === null ? 0 : 1;
  const damaged = (line: number, problem: string) =>
    new DataError(
      `${file}:${line}: is not valid CSV: ${problem}. Every line needs as many cells as the header; put cells that ` +
        'hold the delimiter or quotes in double quotes.',
    );
  let rows: CsvRow[];
  try {
    const records = parse(content, {
      bom: true,
      delimiter: said?.[1] ?? delimiterOf(content),
      info: true,
      record_delimiter: LINE_ENDS,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as { info: { lines: number }; record: string[] }[];
    rows = records.map(({ info, record }) => ({
      line: info.lines + before,
      cells: record.map((cell) => unguarded(cell.trim())),
    }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw damaged(Number(error.lines ?? 1) + before, error.message);
  }
  const [header, ...all] = rows.filter(({ cells }) => cells.some((cell) => cell !== ''));
  if (header === undefined) return [];
  const zero = [header, ...all].find(({ cells }) => cells.some((cell) => cell.includes('\0')));
  if (zero !== undefined) throw damaged(zero.line, 'it holds a NUL, which no text has');
  const width = header.cells.length;
  return [
    header,
    ...all.map(({ line, cells }) => {
      const further = cells.slice(width).some((cell) => cell !== '');
      if (cells.length >= width && !further) return { line, cells: cells.slice(0, width) };
      throw damaged(line, `it has ${numbered(cells.length, 'cell')}, and the header ${width}`);
    }),
  ];
}

/** Finds the delimiter that gives the header the most cells. A comma wins where several give as many. */
function delimiterOf(text: string): string {
  const start = /^[\s\uFEFF]*([^\r\n]*)/.exec(text)?.[1] ?? '';
  const header = start.replace(/"[^"]*"/g, '');
  const cells = (delimiter: string) => header.split(delimiter).length;
  return DELIMITERS.reduce((best, other) => (cells(other) > cells(best) ? other : best));
}

/** Excel keeps columns that were once used: without a name, without content. */
function withoutEmptyColumns(table: readonly CsvRow[], file: string): Pick<CsvTable, 'header' | 'rows'> {
  const [header, ...rows] = table;
  if (header === undefined) return { rows };
  const nameless = header.cells.flatMap((name, i) => (name === '' ? [i] : []));
  const filled = nameless.filter((i) => rows.some(({ cells }) => cells[i] !== ''));
  if (filled.length > 1) {
    throw new DataError(
      `${file}:${header.line}: columns ${filled.map((i) => i + 1).join(', ')} have content and no name. Name or remove them.`,
    );
  }
  const kept = header.cells.map((_, i) => !nameless.includes(i) || filled.includes(i));
  const cut = ({ line, cells }: CsvRow): CsvRow => ({ line, cells: cells.filter((_, i) => kept[i]) });
  return { header: cut(header), rows: rows.map(cut) };
}
