/** The distributions of initial weights. */
import { ops, Random, type Tensor, tensor } from '../tensor/index.js';

/** The random numbers of a layer; undefined where its weights are loaded next, which leaves them zero until then. */
export type LayerRandom = Random | undefined;

/** The random numbers of the layer of this name in a network of this seed; a seed of null has none. */
export function layerRandom(seed: number | null, ...name: readonly (string | number)[]): LayerRandom {
  return seed === null ? undefined : new Random(seed, 'init', ...name);
}

/**
 * Draws from N(0, 2 / fan_out) with fan_out = out · kh · kw, as torchvision's VGG does (He et al. 2015, for layers
 * before a ReLU).
 */
export function kaimingNormal(shape: readonly [number, number, number, number], random: LayerRandom): Tensor {
  const [out, , kernelHeight, kernelWidth] = shape;
  const std = Math.sqrt(2 / (out * kernelHeight * kernelWidth));
  return fill(shape, random && (() => random.normal(0, std)));
}

/** Draws from U(−bound, bound) with bound = 1/√fan_in, torch.nn.Linear's default for weight and bias. */
export function linearUniform(shape: readonly number[], fanIn: number, random: LayerRandom): Tensor {
  const bound = 1 / Math.sqrt(fanIn);
  return fill(shape, random && (() => random.uniform(-bound, bound)));
}

/** The initial weight [out, in] and bias [out] of a linear layer. */
export type LinearStart = (
  inFeatures: number,
  outFeatures: number,
  random: LayerRandom,
) => { readonly weight: Tensor; readonly bias: Tensor };

/** torch.nn.Linear's default. */
export const uniformStart: LinearStart = (inFeatures, outFeatures, random) => ({
  weight: linearUniform([outFeatures, inFeatures], inFeatures, random),
  bias: linearUniform([outFeatures], inFeatures, random),
});

/** Draws from N(0, deviation²). */
export function normal(shape: readonly number[], deviation: number, random: LayerRandom): Tensor {
  return fill(shape, random && (() => random.normal(0, deviation)));
}

export function constant(shape: readonly number[], value: number): Tensor {
  return fill(shape, () => value);
}

function fill(shape: readonly number[], draw: (() => number) | undefined): Tensor {
  if (draw === undefined) return ops.full(shape, 0, 'f32', null, null);
  const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
  for (let i = 0; i < values.length; i += 1) values[i] = draw();
  return tensor(values, shape);
}
