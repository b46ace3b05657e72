/** Writes a network as an ONNX model. */
import type { Tensor } from '../../tensor/index.js';
import { packageVersion } from '../../version.js';
import { Graph, type Metadata } from './graph.js';
import { Site, translate } from './operators.js';
import { type PreprocessOptions, preprocess } from './preprocess.js';
import { type Extent, isPerImage, type TraceOptions, trace, type Value } from './trace.js';

export interface OnnxOptions extends TraceOptions {
  /** What a user must know to feed the network, by key. */
  readonly metadata?: Metadata;
  /**
   * Takes images as files hold them: the input is then `image`, u8 [height, width, 1 or 3] of any size, one at a time.
   * The network must take [B, 3, size, size] in 0..1.
   */
  readonly preprocess?: PreprocessOptions;
}

/**
 * Gives the bytes of an ONNX model (opset 17, IR 8) that computes what `forward` computes, for any number of images. Its
 * input is `images`, f32 [batch, …imageShape], its outputs have the names that `forward` gives them.
 *
 * @param forward takes f32 [B, C, H, W] on the CPU and gives f32 outputs by name
 * @throws OnnxError on an operator that has no counterpart, a shape that depends on the batch in another way than by
 * a multiple, or a file above 2 GiB
 */
export function exportOnnx(
  forward: (images: Tensor) => Readonly<Record<string, Tensor>>,
  { metadata = {}, preprocess: from, ...options }: OnnxOptions,
): Uint8Array {
  const { input, steps, outputs } = trace(forward, options);
  const graph = new Graph('encoder');
  const names = new Map<Value, string>();
  names.set(
    input,
    from === undefined
      ? graph.input('images', 'f32', dimensions(input.shape))
      : preprocess(graph, graph.input('image', 'u8', ['height', 'width', 'channels']), from),
  );
  let count: string | undefined;
  const batch = (): string => {
    count ??= graph.node('Shape', [names.get(input)!], { start: 0, end: 1 });
    return count;
  };
  const nameOf = (value: Value): string => {
    const known = names.get(value);
    if (known !== undefined) return known;
    const { data, shape, name } = value.constant!;
    const made = graph.constant(data, shape, value.dtype, name);
    names.set(value, made);
    return made;
  };
  for (const step of steps) {
    const made = translate(step, new Site(step, graph, nameOf, batch));
    for (const [i, result] of step.results.entries()) names.set(result, made[i]!);
  }
  for (const [name, value] of Object.entries(outputs)) {
    graph.output(name, nameOf(value), value.dtype, dimensions(value.shape));
  }
  return graph.encode({ name: 'anatomy-ssl', version: packageVersion() }, metadata);
}

function dimensions(shape: readonly Extent[]): (number | string)[] {
  return shape.map((extent) => {
    if (!isPerImage(extent)) return extent;
    return extent.perImage === 1 ? 'batch' : `batch * ${extent.perImage}`;
  });
}
