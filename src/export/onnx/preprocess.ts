/** The product's way from an image of any size to the network's input, as nodes of ONNX. */
import { elementType, type Graph } from './graph.js';

export interface PreprocessOptions {
  /** The side of the square that images are squashed to first, in pixels; a smaller image keeps its shorter side. */
  readonly cacheSize: number;
  /** The side of the network's input, in pixels. */
  readonly size: number;
}

/**
 * Adds the nodes that squash an image to a square of 8 bits and resize that to the network's side, as
 * `src/data/images/resize.ts` and `src/augment/resample.ts` do.
 *
 * Opset 17 has no antialiased Resize. Resizing a side is a matrix product, and its matrix is computed from the image's
 * own shape. The first matrix is in double precision, as the product's sums are, so that the same values are rounded.
 *
 * @param image u8 [height, width, 1 or 3]
 * @returns f32 [1, 3, size, size] in 0..1
 */
export function preprocess(graph: Graph, image: string, { cacheSize, size }: PreprocessOptions): string {
  const { square, side } = squash(graph, image, cacheSize);
  const to = graph.scalar(size, 'f64');
  const weights = graph.node('Cast', [bilinear(graph, side, to)], { to: elementType('f32') });
  const rows = graph.node('MatMul', [weights, graph.node('Cast', [square], { to: elementType('f32') })]);
  const resized = graph.node('MatMul', [rows, transposed(graph, weights)]);
  const unit = graph.node('Div', [resized, graph.scalar(255, 'f32')]);
  const clipped = graph.node('Clip', [unit, graph.scalar(0, 'f32'), graph.scalar(1, 'f32')]);
  const batch = graph.node('Unsqueeze', [clipped, graph.integers([0])]);
  // A gray image stands for three equal channels.
  return graph.node('Expand', [batch, graph.integers([1, 3, 1, 1])]);
}

/**
 * Adds the nodes of the first step alone.
 * @returns the square, f64 [1 or 3, S, S] of whole numbers 0..255, and S, an f64 number
 */
export function squash(
  graph: Graph,
  image: string,
  cacheSize: number,
): { readonly square: string; readonly side: string } {
  const shape = graph.node('Cast', [graph.node('Shape', [image])], { to: elementType('f64') });
  const [height, width] = [0, 1].map((i) =>
    graph.node('Gather', [shape, graph.scalar(i, 'i64')], { axis: 0 }),
  ) as [string, string];
  const side = graph.node('Min', [height, width, graph.scalar(cacheSize, 'f64')]);
  // As bytes, so that memory holds one copy of the image in double precision.
  const bytes = graph.node('Transpose', [image], { perm: [2, 0, 1] });
  const planes = graph.node('Cast', [bytes], { to: elementType('f64') });
  const narrowed = graph.node('MatMul', [planes, transposed(graph, bilinear(graph, width, side))]);
  const squashed = graph.node('MatMul', [bilinear(graph, height, side), narrowed]);
  // Halves are rounded up, as Math.round does; ONNX's Round would take the even neighbour.
  return { square: graph.node('Floor', [graph.node('Add', [squashed, graph.scalar(0.5, 'f64')])]), side };
}

/**
 * Adds the matrix that resizes `from` pixels to `to`, f64 [to, from]: row t has the weights of target pixel t. Pixel k
 * covers [k, k + 1), so its centre is k + ½, and it weighs max(0, 1 − |k + ½ − scale · (t + ½)| / support) before the
 * row is divided by its sum. The support is the scale, from / to, when shrinking, and 1 when enlarging.
 *
 * @param from an f64 number, as `to` is
 */
function bilinear(graph: Graph, from: string, to: string): string {
  const centres = (count: string) => {
    const places = graph.node('Range', [graph.scalar(0, 'f64'), count, graph.scalar(1, 'f64')]);
    return graph.node('Add', [places, graph.scalar(0.5, 'f64')]);
  };
  const scale = graph.node('Div', [from, to]);
  const support = graph.node('Max', [scale, graph.scalar(1, 'f64')]);
  const targets = graph.node('Unsqueeze', [graph.node('Mul', [scale, centres(to)]), graph.integers([1])]);
  const distance = graph.node('Abs', [graph.node('Sub', [centres(from), targets])]);
  const slope = graph.node('Sub', [graph.scalar(1, 'f64'), graph.node('Div', [distance, support])]);
  const weights = graph.node('Max', [slope, graph.scalar(0, 'f64')]);
  const sums = graph.node('ReduceSum', [weights, graph.integers([1])]);
  return graph.node('Div', [weights, sums]);
}

function transposed(graph: Graph, matrix: string): string {
  return graph.node('Transpose', [matrix], { perm: [1, 0] });
}
