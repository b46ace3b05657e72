/** Describes each place of a map by how alike it is to its neighbours, which means the same in every modality. */
import { l2Normalize, ops, type Tensor, tidy } from '../../tensor/index.js';

/** The distance of the neighbours, in cells of the map. */
const NEIGHBOUR = 2;
const OFFSETS = [-NEIGHBOUR, 0, NEIGHBOUR].flatMap((down) =>
  [-NEIGHBOUR, 0, NEIGHBOUR].flatMap((right) => (right === 0 && down === 0 ? [] : [[down, right] as const])),
);

/**
 * The cells at each edge that say nothing: their neighbours lie outside, and the padding of convolutions draws a frame
 * around every map, which stands still and would hold each pair where it lies.
 */
export const EDGE = NEIGHBOUR + 1;

/** What is added to a deviation, as a share of that of all channels, so that a silent channel is not blown up. */
const SILENT = 1e-3;
/** What is added to the distances by which others are divided, as a share of their mean, where all is even. */
const EVEN = 1e-2;

/**
 * The self-similarity of a map, after the descriptor of Heinrich et al. (MIND, Medical Image Analysis 2012), with the
 * encoder's vectors in place of intensities: exp(−D/V), D = 1 − cos of a cell and each of its eight neighbours, averaged
 * over 3×3 cells, V its mean over the neighbours. Two modalities whose vectors have nothing in common agree in which
 * neighbours are alike: it is the premise of L_SD, seen locally.
 *
 * @param map [1, C, H, W]
 * @returns [1, 8, H, W], of mean 0 in each channel; the caller disposes of it
 */
export function selfSimilarity(map: Tensor): Tensor {
  return tidy(() => {
    const vectors = l2Normalize(standardised(map), 1);
    const distances = OFFSETS.map(([down, right]) => {
      const neighbours = ops.roll(vectors, [-down, -right], [2, 3]);
      return vectors.mul(neighbours).sum([1], true).neg().add(1);
    });
    const smooth = ops.avgPool2d(ops.cat(distances, 1), [3, 3], [1, 1], [1, 1], false, false, null);
    const mean = smooth.mean([1], true);
    const alike = smooth
      .div(mean.add(mean.mean().mul(EVEN)).add(1e-9))
      .neg()
      .exp();
    const scaled = alike.div(ops.amax(alike, [1], true));
    return scaled.sub(scaled.mean([2, 3], true));
  });
}

/** Channels of mean 0 and of about one deviation, over the places of the map. */
function standardised(map: Tensor): Tensor {
  const centred = map.sub(map.mean([2, 3], true));
  const squares = centred.mul(centred);
  const all = squares.mean().sqrt().mul(SILENT).add(1e-9);
  return centred.div(squares.mean([2, 3], true).sqrt().add(all));
}
