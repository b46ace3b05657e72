/** Features with one row for each sample: row-major `data` of shape [rows, columns]. */
export interface Features {
  readonly data: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/** Features in double precision, which probes and similarities compute in. */
export interface DoubleFeatures extends Features {
  readonly data: Float64Array;
}

/** Wraps row-major numbers, refusing a length that does not fit the shape. */
export function featureRows(data: Float32Array | Float64Array, rows: number, columns: number): Features {
  if (data.length !== rows * columns) {
    throw new RangeError(`features: ${data.length} numbers do not fill ${rows} rows of ${columns} columns`);
  }
  return { data, rows, columns };
}

/** Copies the chosen rows, in the order given. */
export function takeRows({ data, rows, columns }: Features, chosen: ArrayLike<number>): Features {
  const taken =
    data instanceof Float32Array
      ? new Float32Array(chosen.length * columns)
      : new Float64Array(chosen.length * columns);
  for (let i = 0; i < chosen.length; i += 1) {
    const row = chosen[i]!;
    if (!(row >= 0 && row < rows)) throw new RangeError(`takeRows: row ${row} of a matrix with ${rows} rows`);
    taken.set(data.subarray(row * columns, (row + 1) * columns), i * columns);
  }
  return { data: taken, rows: chosen.length, columns };
}

/** Divides each row by its Euclidean norm, in double precision. A zero row stays zero. */
export function unitRows({ data, rows, columns }: Features): DoubleFeatures {
  const unit = Float64Array.from(data);
  for (let start = 0; start < unit.length; start += columns) {
    let square = 0;
    for (let j = start; j < start + columns; j += 1) square += unit[j]! * unit[j]!;
    const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let j = start; j < start + columns; j += 1) unit[j]! *= scale;
  }
  return { data: unit, rows, columns };
}

/** Joins feature sets of the same samples side by side: row i is row i of each, end to end. */
export function joinColumns(parts: readonly Features[]): Features {
  if (parts.length === 1) return parts[0]!;
  const { rows } = parts[0]!;
  const columns = parts.reduce((sum, part) => sum + part.columns, 0);
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    let at = row * columns;
    for (const part of parts) {
      data.set(part.data.subarray(row * part.columns, (row + 1) * part.columns), at);
      at += part.columns;
    }
  }
  return featureRows(data, rows, columns);
}
