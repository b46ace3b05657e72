/**
 * Eq. 5 for pairs that are shifted against each other by an unknown number of patches: the least over all shifts (y, x)
 * with |y| ≤ n and |x| ≤ n, each over the patches that overlap,
 *
 *   L = min_{y,x} 1/|O|² Σ_{i,j∈O} (A_ij^A − A_{i+(y,x), j+(y,x)}^B)²       with O = O(y, x): where i + (y, x) is in the grid
 */
import { noGrad, ops, type Tensor, TensorError, tensor, tidy } from '../tensor/index.js';
import { correlation } from './patches.js';

type Grid = readonly [rows: number, columns: number];
type Shift = readonly [y: number, x: number];

/**
 * Checks that at every shift of up to `most` patches more than half of the rows and of the columns overlap. Of fewer,
 * some would agree by chance, and a single patch always does.
 *
 * @param layer the number of the map in messages
 * @throws TensorError with the largest shift and the smallest grid that work
 */
export function checkShift([rows, columns]: Grid, layer: number, most: number): void {
  const largest = Math.ceil(Math.min(rows, columns) / 2) - 1;
  if (most <= largest) return;
  const finer = 2 * most + 1;
  throw new TensorError(
    `consistencyLoss: consistencyShift is ${most} with a grid of ${rows}×${columns} patches on map ${layer}, where at most half of the rows or columns would overlap; use consistencyShift ${largest}, or a grid of ${finer}×${finer} patches or finer`,
  );
}

/**
 * The least Eq. 5 of each pair, averaged over the pairs. Which shift it is takes no gradient; of equal ones it is the
 * smallest.
 *
 * @param sA [B, C, P]
 * @param sB [B, C, P]
 * @param most n, the largest shift in patches
 */
export function leastOverShifts(sA: Tensor, sB: Tensor, grid: Grid, most: number): Tensor {
  const shifts = shiftsUpTo(most);
  const chosen = chooseShift([sA, sB], grid, shifts);
  const { mate, overlap } = facing(chosen, grid, shifts);
  const moved = ops.gather(sB, 2, ops.expand(ops.unsqueeze(mate, 1), sB.shape));
  // Outside of the overlap embeddings of 0 make similarities of 0, which add nothing to the sum.
  const inside = overlap.to({ dtype: sA.dtype });
  const [a, b] = [sA, moved].map((s) => correlation(s.mul(ops.unsqueeze(inside, 1))));
  const count = inside.sum([1]);
  return a!.sub(b!).pow(2).sum([1, 2]).div(count.mul(count)).mean();
}

/** All shifts of up to `most` patches, the smaller ones first. */
function shiftsUpTo(most: number): Shift[] {
  const one = Array.from({ length: 2 * most + 1 }, (_, i) => i - most);
  const length = ([y, x]: Shift): number => y ** 2 + x ** 2;
  return one.flatMap((y) => one.map((x): Shift => [y, x])).sort((a, b) => length(a) - length(b));
}

/** The number of the shift with the least loss of each pair, [B]. @param embeddings of A and of B, [B, C, P] each */
function chooseShift(embeddings: readonly Tensor[], [rows, columns]: Grid, shifts: readonly Shift[]): Tensor {
  const apart = (x: Tensor): Tensor => ops.reshape(x, [x.size(0), rows, columns, rows, columns]);
  const ofOverlap = (x: Tensor, [y, right]: Shift): Tensor => {
    const cut = (part: Tensor, dim: number, by: number): Tensor =>
      part.narrow(dim, Math.max(0, by), part.size(dim) - Math.abs(by));
    return cut(cut(cut(cut(x, 1, y), 2, right), 3, y), 4, right);
  };
  return noGrad(() =>
    tidy(() => {
      const [allA, allB] = embeddings.map((s) => apart(correlation(s)));
      const losses = shifts.map(([y, x]) =>
        tidy(() => {
          const difference = ofOverlap(allA!, [-y, -x]).sub(ofOverlap(allB!, [y, x]));
          return ops.unsqueeze(difference.pow(2).mean([1, 2, 3, 4]), 1);
        }),
      );
      return ops.argmax(ops.cat(losses, 1).neg(), 1, false);
    }),
  );
}

/**
 * Tells which patch of B each patch of A faces. Past the edge it goes on at the other one, so that no two face the
 * same.
 *
 * @param chosen the number of each pair's shift, [B]
 * @returns the patch of B and whether it is within the overlap, [B, P] each
 */
function facing(
  chosen: Tensor,
  [rows, columns]: Grid,
  shifts: readonly Shift[],
): { mate: Tensor; overlap: Tensor } {
  const integers = (values: readonly number[], shape: readonly number[]): Tensor =>
    tensor([...values], shape, { dtype: 'i64', device: chosen.device });
  const patches = Array.from({ length: rows * columns }, (_, i) => i);
  const along = (axis: 0 | 1, length: number, places: readonly number[]) => {
    const by = ops.indexSelect(
      integers(
        shifts.map((shift) => shift[axis]),
        [shifts.length],
      ),
      0,
      chosen,
    );
    const place = ops.unsqueeze(by, 1).add(integers(places, [1, places.length]));
    const wrapped = ops.remainderScalar(place, length);
    return { wrapped, inside: ops.eqTensor(place, wrapped) };
  };
  const y = along(
    0,
    rows,
    patches.map((i) => Math.floor(i / columns)),
  );
  const x = along(
    1,
    columns,
    patches.map((i) => i % columns),
  );
  return {
    mate: y.wrapped.mul(columns).add(x.wrapped),
    overlap: ops.logicalAnd(y.inside, x.inside),
  };
}
