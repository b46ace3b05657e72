/**
 * Refuses labels that do not fit: one a row, each a class number from 0 to classes − 1.
 *
 * @throws RangeError naming the caller, the row and the value
 */
export function requireLabels(
  labels: ArrayLike<number>,
  rows: number,
  classes: number,
  caller: string,
): void {
  if (labels.length !== rows) {
    throw new RangeError(`${caller}: ${rows} rows but ${labels.length} labels; expected one label a row`);
  }
  for (let i = 0; i < rows; i += 1) {
    const label = labels[i]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new RangeError(`${caller}: label ${i} is ${label}; expected a class from 0 to ${classes - 1}`);
    }
  }
}
