/**
 * Measures the claim of Fig. 5: from an anchor patch, the other patches of image A are in the same order of similarity
 * as those of image B.
 */

/**
 * Ranks each anchor's similarities with the other patches (mid-ranks, without the anchor itself). Ranks are centred and
 * of length 1, so that the product of two rows is their rank correlation (Spearman). A row of equal similarities has no
 * order: NaN.
 *
 * @param similarities [P, P], row i those of anchor i
 * @returns [P, P−1]
 */
export function rankRows(similarities: Float32Array | Float64Array, patches: number): Float64Array {
  const others = patches - 1;
  const ranks = new Float64Array(patches * others);
  const sorted = new Float64Array(others);
  for (let anchor = 0; anchor < patches; anchor += 1) {
    const row = ranks.subarray(anchor * others, (anchor + 1) * others);
    for (let j = 0; j < others; j += 1) {
      row[j] = similarities[anchor * patches + (j < anchor ? j : j + 1)]!;
    }
    sorted.set(row);
    sorted.sort();
    const middle = (others - 1) / 2;
    let squares = 0;
    for (let j = 0; j < others; j += 1) {
      const [first, end] = [below(sorted, row[j]!, false), below(sorted, row[j]!, true)];
      row[j] = (first + end - 1) / 2 - middle;
      squares += row[j]! ** 2;
    }
    const length = Math.sqrt(squares);
    for (let j = 0; j < others; j += 1) row[j]! /= length; // a constant row gives 0/0, the documented NaN
  }
  return ranks;
}

/** Counts the sorted values that are less than `value` or, with `equal`, not more than it. */
function below(sorted: Float64Array, value: number, equal: boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = sorted[middle]!;
    if (at < value || (equal && at === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The rank correlation at each anchor, [P], from rows of `rankRows`; NaN where one of the two has no order. */
export function agreementOf(a: Float64Array, b: Float64Array, patches: number): Float64Array {
  const others = patches - 1;
  return Float64Array.from({ length: patches }, (_, anchor) => {
    let sum = 0;
    for (let j = anchor * others; j < (anchor + 1) * others; j += 1) sum += a[j]! * b[j]!;
    return sum;
  });
}

/** The mean over the chosen anchors that have a value; NaN where none has one. */
export function meanOver(values: Float64Array, chosen: (anchor: number) => boolean): number {
  let sum = 0;
  let count = 0;
  values.forEach((value, anchor) => {
    if (Number.isNaN(value) || !chosen(anchor)) return;
    sum += value;
    count += 1;
  });
  return sum / count;
}
