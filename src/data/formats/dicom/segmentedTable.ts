/**
 * Expands a palette that is stored in segments (PS3.3 C.7.9.2). Each begins with its kind and a length: 0, so many
 * entries as they are; 1, a line of so many entries from the last one to the next number; 2, so many segments that
 * stand elsewhere, copied.
 *
 * @param stored the numbers of the table as stored, 8 or 16 bits each
 * @param bits the number of bits of each
 * @param entries how many entries the table should have
 * @throws Error if a segment is of another kind or points outside the table
 */
export function expandSegments(stored: readonly number[], bits: 8 | 16, entries: number): number[] {
  // Places are bytes by the standard, but some programs count numbers. The length of the table tells them apart.
  const ways = bits === 8 ? [1] : [2, 1];
  const expanded = ways.map((bytes) => attempt(() => expand(stored, bits, bytes, entries)));
  const tables = expanded.filter((table) => Array.isArray(table));
  const table = tables.find(({ length }) => length === entries) ?? tables[0];
  if (table === undefined) throw expanded[0];
  return table;
}

function attempt(make: () => number[]): number[] | Error {
  try {
    return make();
  } catch (error) {
    return error as Error;
  }
}

function expand(stored: readonly number[], bits: 8 | 16, bytesEach: number, most: number): number[] {
  const table: number[] = [];
  const take = (at: number, count: number): readonly number[] => {
    if (at + count > stored.length) throw new Error('a segment of the palette goes on after its end');
    return stored.slice(at, at + count);
  };

  /** Expands up to `count` segments from `at` on. Copied ones are not copied again. */
  function segments(at: number, count: number, copied: boolean): void {
    let next = at;
    // A last zero may fill an even number of bytes.
    for (let i = 0; i < count && next + 1 < stored.length; i += 1) {
      if (table.length > most) return;
      const [kind, length] = take(next, 2) as [number, number];
      next += 2;
      if (kind === 0) {
        table.push(...take(next, length));
        next += length;
      } else if (kind === 1) {
        table.push(...line(table.at(-1), take(next, 1)[0]!, length));
        next += 1;
      } else if (kind === 2 && !copied) {
        const place = take(next, 32 / bits).reduce((sum, part, k) => sum + part * 2 ** (bits * k), 0);
        const from = place / bytesEach;
        if (!Number.isInteger(from) || from >= stored.length)
          throw new Error('a segment of the palette is copied from nowhere');
        segments(from, length, true);
        next += 32 / bits;
      } else throw new Error(`a segment of the palette is of kind ${kind}${copied ? ' within a copy' : ''}`);
    }
  }

  segments(0, Number.POSITIVE_INFINITY, false);
  return table;
}

/** Makes entries on a line that begins after `from` and ends with `to`. Halves go to the even number. */
function line(from: number | undefined, to: number, length: number): number[] {
  if (from === undefined) throw new Error('the palette begins with a line from nowhere');
  return Array.from({ length }, (_, i) => {
    const value = from + ((to - from) * (i + 1)) / length;
    const below = Math.floor(value);
    if (value - below !== 0.5) return Math.round(value);
    return below % 2 === 0 ? below : below + 1;
  });
}
