/** Inputs from a formula, so that golden files hold results only. formula.py computes the same numbers. */
export function values(shape: readonly number[], seed: number, low = -1, high = 1): Float64Array {
  const count = shape.reduce((product, length) => product * length, 1);
  const made = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    let h = (Math.imul(i, 2654435761) + Math.imul(seed, 40503) + 12345) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 73244475) >>> 0;
    h = (h ^ (h >>> 16)) >>> 0;
    made[i] = low + (high - low) * (h / 4294967296);
  }
  return made;
}

/** The golden tests' measure: max|Δ| / max|reference|, or max|Δ| where the reference is all zero. */
export function relativeError(actual: ArrayLike<number | bigint>, reference: ArrayLike<number>): number {
  if (actual.length !== reference.length) {
    throw new RangeError(`${actual.length} values to compare with ${reference.length}`);
  }
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < reference.length; i += 1) {
    const error = Math.abs(Number(actual[i]) - reference[i]!);
    if (Number.isNaN(error)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, error);
    scale = Math.max(scale, Math.abs(reference[i]!));
  }
  return scale === 0 ? difference : difference / scale;
}
