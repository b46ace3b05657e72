import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { noGrad, type Tensor, tensor, tidy } from '../../../src/tensor/index.js';

export type Network = (images: Tensor) => Readonly<Record<string, Tensor>>;

/** One thread and no fusion of operators, so that the numbers are those of the operators in the file. */
export async function open(model: Uint8Array, optimised = true): Promise<InferenceSession> {
  return InferenceSession.create(model, {
    intraOpNumThreads: 1,
    graphOptimizationLevel: optimised ? 'all' : 'disabled',
    logSeverityLevel: 3,
  });
}

/** Runs the model on f32 [batch, …] and gives its outputs by name. */
export async function run(
  session: InferenceSession,
  values: Float32Array | Uint8Array,
  shape: readonly number[],
): Promise<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>> {
  const [input] = session.inputNames;
  const type = values instanceof Uint8Array ? 'uint8' : 'float32';
  const outputs = await session.run({ [input!]: new OrtTensor(type, values as Float32Array, [...shape]) });
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { dims, data }]) => [
      name,
      { shape: dims, data: data as Float32Array },
    ]),
  );
}

/** The outputs of the network itself. */
export function outputsOf(
  network: Network,
  values: Float32Array,
  shape: readonly number[],
): Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }> {
  return noGrad(() =>
    tidy(() =>
      Object.fromEntries(
        Object.entries(network(tensor(values, shape))).map(([name, output]) => [
          name,
          { shape: output.shape, data: output.toArray() as Float32Array },
        ]),
      ),
    ),
  );
}

/** The largest difference of each output, as a share of the largest value that the network itself gives. */
export async function differences(
  network: Network,
  session: InferenceSession,
  values: Float32Array,
  shape: readonly number[],
): Promise<Record<string, number>> {
  const expected = outputsOf(network, values, shape);
  const found = await run(session, values, shape);
  if (Object.keys(found).join() !== Object.keys(expected).join()) {
    throw new Error(`the model gives ${Object.keys(found)}, the network ${Object.keys(expected)}`);
  }
  return Object.fromEntries(
    Object.entries(expected).map(([name, output]) => {
      const { shape: other, data } = found[name]!;
      if (other.join() !== output.shape.join()) {
        throw new Error(`${name} has the shape [${other}], the network gives [${output.shape}]`);
      }
      let [difference, largest] = [0, 0];
      for (const [i, value] of output.data.entries()) {
        difference = Math.max(difference, Math.abs(data[i]! - value));
        largest = Math.max(largest, Math.abs(value));
      }
      return [name, difference / largest];
    }),
  );
}
