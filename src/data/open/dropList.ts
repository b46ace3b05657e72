/** Reads and writes lists of samples to leave out. */
import { DataError } from '../../errors.js';
import { PRIVATE, writeFileAtomic } from '../../files.js';
import { csv } from '../../text/csv.js';
import { readCsv } from '../../text/readCsv.js';

/** A sample to leave out. */
export interface DroppedSample {
  readonly id: string;
  /** A reason for people to read. */
  readonly reason: string;
}

/** Writes a list of samples to leave out: CSV with the columns `id,reason`. */
export function writeDropList(file: string, samples: readonly DroppedSample[]): void {
  const text = csv([['id', 'reason'], ...samples.map(({ id, reason }) => [id, reason])]);
  writeFileAtomic(file, text, { mode: PRIVATE });
}

/**
 * Reads a list that `writeDropList` wrote, or one made by hand: any CSV with a column `id`. An id may stand in it
 * repeatedly.
 *
 * @throws DataError if the file cannot be read, has no column `id`, or a line without one
 */
export async function readDropList(file: string): Promise<DropList> {
  const { header, rows } = await readCsv(file, 'the list of samples to leave out');
  const id = header?.cells.indexOf('id') ?? -1;
  if (header === undefined || id < 0) {
    const columns =
      header === undefined ? '' : ` among ${header.cells.map((name) => `"${name}"`).join(', ')}`;
    throw new DataError(
      `${file}:1: no column "id"${columns}. A list of samples to leave out begins with the line id,reason, as ` +
        'anatomy data check --drop-list writes it.',
    );
  }
  const ids = rows.map(({ line, cells }) => {
    if (cells[id] !== '') return cells[id]!;
    throw new DataError(`${file}:${line}: the id is empty. Name a sample or remove the line.`);
  });
  return new DropList(ids, file);
}

/**
 * The ids of samples to leave out. The list remembers which of them it has met, so that a list of other data is
 * noticed.
 */
export class DropList {
  readonly #ids: ReadonlySet<string>;
  readonly #met = new Set<string>();
  readonly #source: string;

  /** @param source the file, for messages */
  constructor(ids: Iterable<string>, source: string) {
    this.#ids = new Set(ids);
    this.#source = source;
  }

  drops(id: string): boolean {
    if (!this.#ids.has(id)) return false;
    this.#met.add(id);
    return true;
  }

  /**
   * Gives the samples that the list does not name.
   *
   * @param onWarning is told how many ids of the list were never met
   * @throws DataError if no sample is left
   */
  without<Kept extends { readonly id: string }>(
    samples: readonly Kept[],
    onWarning?: (message: string) => void,
  ): readonly Kept[] {
    const kept = samples.filter(({ id }) => !this.drops(id));
    if (kept.length === 0 && samples.length > 0) {
      throw new DataError(
        `${this.#source}: leaves out all ${samples.length} samples. Shorten the list, or leave --drop out.`,
      );
    }
    const unknown = [...this.#ids].filter((id) => !this.#met.has(id));
    if (unknown.length > 0) {
      onWarning?.(
        `${this.#source}: ${unknown.length} of its ${this.#ids.size} samples ${unknown.length === 1 ? 'is' : 'are'} not in ` +
          `the data, such as "${unknown[0]}". Is the list of other data?`,
      );
    }
    return kept;
  }
}
