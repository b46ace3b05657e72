/** Runs a model in onnxruntime, where that is installed, beside the network that it was made of. */
import { resample } from '../augment/index.js';
import { planes } from '../data/cache/planeFile.js';
import { resize } from '../data/images/resize.js';
import type { Raster } from '../data/sample.js';
import { openPhantom } from '../phantoms/openPhantom.js';
import { noGrad, ops, Random, type Tensor, tensor, tidy } from '../tensor/index.js';

/** How far one output of a model is from the network's. */
export interface CheckedOutput {
  readonly output: string;
  /** The largest difference of two values. */
  readonly largest: number;
  /** The largest absolute value of the network's own output, for comparison. */
  readonly scale: number;
}

export interface CheckOptions {
  /** The side of the network's input, in pixels. */
  readonly size: number;
  /** The side of the square that images are squashed to first. */
  readonly cacheSize: number;
  /** Whether the model takes 8-bit images of any size. */
  readonly preprocess: boolean;
}

/** The part of onnxruntime-node that is used. It is no dependency: who wants the check installs it. */
interface OnnxRuntime {
  readonly InferenceSession: { create(model: Uint8Array, options?: object): Promise<Session> };
  readonly Tensor: new (type: string, data: Float32Array | Uint8Array, shape: readonly number[]) => unknown;
}

interface Session {
  readonly inputNames: readonly string[];
  run(inputs: object): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
  release(): Promise<void>;
}

type Network = (images: Tensor) => Readonly<Record<string, Tensor>>;

/** What onnxruntime is given, and the same images as the network takes them. */
interface Feed {
  readonly data: Float32Array | Uint8Array;
  readonly shape: readonly number[];
  /** Gives f32 [B, 3, size, size] in 0..1. */
  readonly images: () => Tensor;
}

/**
 * Compares all outputs on eight images of noise and on eight simulated breast images; with `preprocess` on images of
 * other sizes, beside the product's own resizing.
 * @returns null where onnxruntime-node is not installed
 */
export async function checkOnnx(
  model: Uint8Array,
  network: Network,
  options: CheckOptions,
): Promise<CheckedOutput[] | null> {
  const runtime = await onnxRuntime();
  if (runtime === undefined) return null;
  // Warnings of the runtime's optimiser are about itself.
  const session = await runtime.InferenceSession.create(model, { logSeverityLevel: 3 });
  try {
    const found = new Map<string, CheckedOutput>();
    for (const { data, shape, images } of await feeds(options)) {
      const type = data instanceof Uint8Array ? 'uint8' : 'float32';
      const outputs = await session.run({ [session.inputNames[0]!]: new runtime.Tensor(type, data, shape) });
      const expected = noGrad(() =>
        tidy(() => Object.entries(network(images())).map(([name, x]) => [name, x.toArray()] as const)),
      );
      for (const [output, values] of expected) {
        let { largest, scale } = found.get(output) ?? { largest: 0, scale: 0 };
        for (let i = 0; i < values.length; i += 1) {
          const value = Number(values[i]);
          scale = Math.max(scale, Math.abs(value));
          largest = Math.max(largest, Math.abs(outputs[output]!.data[i]! - value));
        }
        found.set(output, { output, largest, scale });
      }
    }
    return [...found.values()];
  } finally {
    await session.release();
  }
}

async function onnxRuntime(): Promise<OnnxRuntime | undefined> {
  // A name in a variable is not looked for at compile time.
  const name = 'onnxruntime-node';
  try {
    const module = (await import(name)) as OnnxRuntime & { readonly default?: OnnxRuntime };
    return module.default ?? module;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function feeds({ preprocess, size, cacheSize }: CheckOptions): Promise<Feed[]> {
  const random = new Random('onnx', 'check');
  const phantom = await openPhantom('phantom:breast,pairs=4');
  const drawn = [0, 1, 2, 3].flatMap((index) => {
    // Smaller and larger than the square, and of its size.
    const { a, b } = phantom.pair(index, preprocess ? Math.round((cacheSize * (index + 2)) / 4) : size);
    return [a, b];
  });
  if (preprocess) {
    const noise = Array.from({ length: 8 }, (_, i): Raster => {
      const [width, height] = [0, 1].map(() => size + random.below(2 * cacheSize)) as [number, number];
      const channels = i % 2 === 0 ? 1 : 3;
      const data = Uint8Array.from({ length: width * height * channels }, () => random.below(256));
      return { width, height, channels, data };
    });
    return [...noise, ...drawn].map((image) => ({
      data: image.data,
      shape: [image.height, image.width, image.channels],
      images: () => prepared(image, { size, cacheSize }),
    }));
  }
  const shape = [8, 3, size, size];
  const noise = Float32Array.from({ length: 8 * 3 * size * size }, () => random.uniform());
  const pictures = Float32Array.from(
    drawn.flatMap((image) => [...planes(image, 3)]),
    (value) => value / 255,
  );
  return [noise, pictures].map((data) => ({ data, shape, images: () => tensor(data, shape) }));
}

/** An image as the product itself gives it to the network: f32 [1, 3, size, size] in 0..1. */
export function prepared(
  image: Raster,
  { size, cacheSize }: Pick<CheckOptions, 'size' | 'cacheSize'>,
): Tensor {
  const side = Math.min(cacheSize, image.width, image.height);
  const square = resize(image, side, side);
  const bytes = tensor(new Uint8Array(planes(square, square.channels)), [1, square.channels, side, side]);
  return ops.expand(resample(bytes, null, { size }), [1, 3, size, size]);
}
