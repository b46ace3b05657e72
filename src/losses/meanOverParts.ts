import type { Tensor } from '../tensor/index.js';

/**
 * The mean of values that are themselves means over `count` things each, times `scale`; undefined where there is
 * nothing. A factor of 1 is left out, so that one part or two equal ones with scale 2 are summed as they are.
 */
export function meanOverParts(
  parts: readonly { readonly value: Tensor; readonly count: number }[],
  scale = 1,
): Tensor | undefined {
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const scaled = parts.map(({ value, count }) => {
    const factor = (scale * count) / total;
    return factor === 1 ? value : value.mul(factor);
  });
  return scaled.length === 0 ? undefined : scaled.reduce((sum, value) => sum.add(value));
}
