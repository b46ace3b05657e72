import { afterAll, describe, expect, test } from 'vitest';
import { exportOnnx } from '../../../src/export/onnx/exportOnnx.js';
import { translated } from '../../../src/export/onnx/operators.js';
import { keep, listenToCalls, ops, Random, type Tensor, tensor, tidy } from '../../../src/tensor/index.js';
import { op } from '../../../src/tensor/operator.js';
import { differences, type Network, open } from './differences.js';

/** Operators that backbones may call, with all their arguments; `ops` passes fewer of some. */
const call = (name: string, ...args: readonly unknown[]): Tensor =>
  op<readonly unknown[], Tensor>(`aten::${name}`)(...args);
const several = (name: string, ...args: readonly unknown[]): Tensor[] =>
  op<readonly unknown[], Tensor[]>(`aten::${name}`)(...args);

const weights = new Map<string, Tensor>();
/** Weights that are the same at each call. */
function weight(...shape: number[]): Tensor {
  const key = shape.join();
  const random = new Random('weight', key);
  const count = shape.reduce((product, length) => product * length, 1);
  const values = Float32Array.from({ length: count }, () => random.normal());
  const found = weights.get(key) ?? keep(tensor(values, shape));
  weights.set(key, found);
  return found;
}
afterAll(() => {
  for (const one of weights.values()) one.dispose();
});

function calledBy(body: (x: Tensor) => Tensor): string[] {
  const called: string[] = [];
  const images = () => tensor(new Float32Array(2 * 192), [2, 3, 8, 8]);
  tidy(() =>
    listenToCalls(
      ({ operator }) => called.push(operator),
      () => body(images()),
    ),
  );
  return called;
}

/** [batch, 3, 8, 8] → [batch, 16, 12], as patches of 2 × 2 pixels are. */
const tokens = (x: Tensor): Tensor => ops.reshape(x, [x.size(0), 16, 12]);

const cases: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  'add.Tensor': (x) => ops.addTensor(x, weight(8)),
  'add_.Tensor': (x) => ops.add_(x.neg(), weight(8)),
  'sub.Tensor': (x) => ops.subTensor(weight(3, 1, 1), x),
  'mul.Tensor': (x) => ops.mulTensor(x, x),
  'mul_.Tensor': (x) => ops.mul_(x.neg(), weight(8, 8)),
  'div.Tensor': (x) => ops.divTensor(x, x.add(2)),
  'add.Scalar': (x) => ops.addScalar(x, 0.1),
  'add_.Scalar': (x) => ops.addScalar_(x.neg(), 2),
  'sub.Scalar': (x) => ops.subScalar(x, 0.3),
  'mul.Scalar': (x) => ops.mulScalar(x, -1.7),
  'mul_.Scalar': (x) => ops.mulScalar_(x.neg(), 3),
  'div.Scalar': (x) => ops.divScalar(x, 255),
  'pow.Tensor_Scalar': (x) => ops.powScalar(x, 3),
  neg: (x) => ops.neg(x),
  sqrt: (x) => ops.sqrt(x.add(1)),
  exp: (x) => ops.exp(x),
  log: (x) => ops.log(x.add(1)),
  erf: (x) => call('erf', x),
  relu: (x) => ops.relu(x.sub(0.5)),
  relu_: (x) => ops.relu_(x.sub(0.5)),
  sigmoid: (x) => call('sigmoid', x),
  tanh: (x) => call('tanh', x),
  gelu: (x) => call('gelu', x.sub(0.5).mul(6), 'none'),
  'softmax.int': (x) => ops.softmax(x.mul(9), -1),
  dropout: (x) => call('dropout', x, 0.5, false),
  conv2d: (x) => call('conv2d', x, weight(6, 1, 3, 3), weight(6), [2, 1], [0, 1], [1, 2], 3),
  batch_norm: (x) =>
    ops.batchNorm(
      x,
      weight(3),
      weight(3),
      weight(3),
      weight(3).mul(weight(3)).add(0.1),
      false,
      0.1,
      1e-3,
      true,
    ),
  layer_norm: (x) => call('layer_norm', tokens(x), [12], weight(12), weight(12), 1e-6, true),
  linear: (x) => ops.linear(tokens(x), weight(5, 12), weight(5)),
  matmul: (x) => ops.matmul(tokens(x), weight(12, 7)),
  bmm: (x) => ops.bmm(tokens(x), ops.transpose(tokens(x), 1, 2)),
  max_pool2d: (x) => call('max_pool2d', x, [3, 2], [2, 1], [1, 0], [1, 2], true),
  avg_pool2d: (x) =>
    ops
      .avgPool2d(x, [3, 2], [2, 1], [0, 1], false, false, null)
      .add(ops.avgPool2d(x, [3, 2], [2, 1], [0, 1], false, true, null).mul(2)),
  adaptive_avg_pool2d: (x) => ops.adaptiveAvgPool2d(x, [2, 1]),
  'mean.dim': (x) => ops.meanDims(x, [2, 3], false),
  amax: (x) => ops.amax(x, [-1], true),
  amin: (x) => ops.amin(x, [1], false),
  'sum.dim_IntList': (x) => ops.sumDims(x, [-1, 1], false),
  reshape: (x) => ops.reshape(x, [-1, 8]),
  view: (x) => call('view', ops.contiguous(x, 'contiguous'), [x.size(0), 3, 64]),
  'flatten.using_ints': (x) => ops.flatten(x, 1, -1),
  unsqueeze: (x) => ops.unsqueeze(x, 1),
  'squeeze.dim': (x) => call('squeeze.dim', ops.unsqueeze(x, 0), 0),
  permute: (x) => ops.permute(x, [0, -2, 3, 1]),
  'transpose.int': (x) => ops.transpose(x, -1, 1),
  t: (x) =>
    ops
      .t(ops.flatten(x, 1, -1))
      .sum([1])
      .mul(ops.flatten(x, 1, -1)),
  expand: (x) => ops.expand(x.narrow(1, 0, 1), [x.size(0), 2, -1, -1]),
  cat: (x) => ops.cat([ops.expand(weight(1, 1, 12), [x.size(0), -1, -1]), tokens(x)], 1),
  narrow: (x) => ops.narrow(x, 2, 3, 4),
  'slice.Tensor': (x) => call('slice.Tensor', x, -1, 1, null, 3),
  'select.int': (x) => call('select.int', tokens(x), 1, -2),
  'unbind.int': (x) => several('unbind.int', x, 1)[1]!,
  'split.Tensor': (x) => ops.split(x, 3, -1)[2]!,
  chunk: (x) => several('chunk', x, 2, 2)[1]!,
  'to.dtype_layout': (x) => x.to({ dtype: 'f64' }).mul(3).to({ dtype: 'f32' }),
  contiguous: (x) => ops.contiguous(ops.permute(x, [0, 2, 3, 1]), 'contiguous'),
  clone: (x) => ops.relu_(ops.clone(x.sub(0.5), 'preserve')),
  detach: (x) => ops.detach(x).mul(2),
};

/**
 * Sums of at most 27 products are added up in another order, and `exp` and `erf` are other approximations than
 * LibTorch's.
 */
const TOLERANCE = 1e-6;

describe('each operator gives in onnxruntime what it gives in LibTorch, for any number of images', () => {
  test.each(Object.entries(cases))('%s', async (name, body) => {
    expect(calledBy(body)).toContain(`aten::${name}`);
    const network: Network = (images) => ({ y: body(images) });
    const model = exportOnnx(network, { imageShape: [3, 8, 8] });
    const session = await open(model, false);
    for (const batch of [1, 5]) {
      const random = new Random('images', batch);
      const images = Float32Array.from({ length: batch * 192 }, () => random.uniform());
      const { y } = await differences(network, session, images, [batch, 3, 8, 8]);
      expect(y).toBeLessThan(TOLERANCE);
    }
    await session.release();
  });

  test('there is a case for each', () => {
    expect(Object.keys(cases).map((name) => `aten::${name}`)).toEqual(translated);
  });
});
