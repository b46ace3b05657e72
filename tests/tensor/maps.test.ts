import { describe, expect, test } from 'vitest';
import { BatchNorm, Conv3x3, gradientsAtMaps, pool, recomputingInputs } from '../../src/nn/index.js';
import {
  type Dtype,
  type NormReluOptions,
  noGrad,
  normRelu,
  ops,
  patchSums,
  Random,
  recomputeInput,
  setThreads,
  type Tensor,
  tensor,
  threads,
  tidy,
  toChannelsLast,
} from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { numbers } from '../training/tiny.js';

type Shape = readonly [number, number, number, number];
type After = NormReluOptions['after'];

const make = (shape: readonly number[], seed: number, dtype: Dtype, low = -1, high = 1) => {
  const x = tensor(values(shape, seed, low, high), shape, { dtype: 'f64' }).to({ dtype });
  return shape.length === 4 ? toChannelsLast(x) : x;
};
const epsilon = 1e-5;
const momentum = 0.3;

interface Case {
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly after: After;
  readonly training?: boolean;
  /** Which outputs have a gradient. */
  readonly from?: 'map' | 'pool' | 'both';
}

/** The outputs, gradients and running statistics of the node, or of LibTorch's operators in f64. */
function compute({ shape, dtype, after, training = true, from = 'both' }: Case, plain: boolean): number[][] {
  return tidy(() => {
    const own = (x: Tensor) => x.to({ dtype: plain ? 'f64' : x.dtype });
    const channels = [shape[1]];
    const x = own(make(shape, 1, dtype, -1, 2))
      .detach()
      .setRequiresGrad();
    const weight = own(make(channels, 2, 'f32', -0.5, 2)).setRequiresGrad();
    const bias = own(make(channels, 3, 'f32')).setRequiresGrad();
    const running = { mean: own(make(channels, 4, 'f32')), variance: own(make(channels, 5, 'f32', 0.5, 2)) };
    const call = (): { output: Tensor; pooled?: Tensor } => {
      if (!plain) return normRelu(x, { ...{ weight, bias, running, training, momentum, epsilon, after } })!;
      const { mean, variance } = running;
      const normed = ops.batchNorm(x, weight, bias, mean, variance, training, momentum, epsilon, true);
      const output = after === 'nothing' ? normed : ops.relu(normed);
      return { output, ...(after === 'relu and max-pool' && { pooled: pool(output).pooled }) };
    };
    const { output, pooled } = call();
    const grown = (y: Tensor, seed: number) => y.mul(own(make(y.shape, seed, dtype))).sum();
    const losses = [
      ...(from === 'pool' ? [] : [grown(output, 6)]),
      ...(pooled === undefined || from === 'map' ? [] : [grown(pooled, 7)]),
    ];
    losses.reduce((sum, loss) => sum.add(loss)).backward();
    const found = [output, ...(pooled ? [pooled] : []), x.grad!, weight.grad!, bias.grad!];
    return [...found, running.mean, running.variance].map(numbers);
  });
}

const SHAPES: readonly Shape[] = [
  [3, 16, 7, 5],
  [2, 32, 8, 6],
  [1, 48, 2, 2],
  [40, 16, 9, 31], // several blocks of pixels
  [3, 16, 3, 2],
];

describe('batch norm with ReLU and max-pool as one node', () => {
  test.each(SHAPES)('equals LibTorch’s operators in f64, for [%i, %i, %i, %i] in f32', (...shape) => {
    for (const training of [true, false]) {
      for (const after of ['nothing', 'relu', 'relu and max-pool'] as const) {
        for (const from of after === 'relu and max-pool'
          ? (['both', 'map', 'pool'] as const)
          : (['map'] as const)) {
          const one: Case = { shape, dtype: 'f32', after, training, from };
          const expected = compute(one, true);
          // Sums of f32 over 11,160 values lose some bits; a gradient through the statistics is a difference of such.
          for (const [i, found] of compute(one, false).entries()) {
            expect(relativeError(found, expected[i]!), `${training} ${after} ${from} ${i}`).toBeLessThan(
              3e-6,
            );
          }
        }
      }
    }
  });

  test('rounds to bf16 once, forward and back', () => {
    for (const after of ['nothing', 'relu'] as const) {
      const one: Case = { shape: [4, 32, 6, 5], dtype: 'bf16', after };
      const [output, ofX, ...sums] = compute(one, false);
      const [trueOutput, trueX, ...trueSums] = compute(one, true);
      // Half a unit in the last of 8 bits.
      expect(relativeError(output!, trueOutput!)).toBeLessThan(2 ** -8);
      expect(relativeError(ofX!, trueX!)).toBeLessThan(2 ** -8);
      for (const [i, sum] of sums.entries()) expect(relativeError(sum, trueSums[i]!)).toBeLessThan(3e-6);
    }
  });

  test('gives the gradient of a window to the first of equal pixels, and adds it in bf16 as autograd does', () => {
    const shape: Shape = [2, 16, 4, 6];
    tidy(() => {
      // Few levels, so that most windows have ties, and statistics that leave them as they are.
      const levels = values(shape, 1, -2, 2).map((value) => Math.round(value) + 0);
      const leaf = () =>
        toChannelsLast(tensor(levels, shape, { dtype: 'bf16' }))
          .detach()
          .setRequiresGrad();
      const weight = tensor(new Float32Array(16).fill(1), [16]);
      const bias = tensor(new Float32Array(16), [16]);
      const running = { mean: bias, variance: weight };
      const [fused, plain] = [leaf(), leaf()];
      const node = normRelu(fused, {
        ...{ weight, bias, running, training: false, momentum, epsilon: 0, after: 'relu and max-pool' },
      })!;
      const output = ops.relu(plain);
      const { pooled } = pool(output);
      expect(numbers(node.output)).toEqual(numbers(output));
      expect(numbers(node.pooled!)).toEqual(numbers(pooled));
      const gradients = [make(shape, 2, 'bf16'), make([2, 16, 2, 3], 3, 'bf16')] as const;
      for (const [map, small] of [
        [node.output, node.pooled!],
        [output, pooled],
      ] as const) {
        map.mul(gradients[0]).sum().add(small.mul(gradients[1]).sum()).backward();
      }
      expect(numbers(fused.grad!)).toEqual(numbers(plain.grad!));
    });
  });

  test('has the same bits with any number of threads', () => {
    const before = threads();
    const one: Case = { shape: [40, 16, 9, 31], dtype: 'f32', after: 'relu and max-pool' };
    const found = [1, 2, 3].map((count) => {
      setThreads(count);
      return compute(one, false);
    });
    setThreads(before);
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
  });

  test.each(['f32', 'bf16'] as const)('keeps NaN in its channel, in %s', (dtype) => {
    tidy(() => {
      const x = make([2, 16, 4, 4], 1, dtype);
      const broken = toChannelsLast(x.mul(make([1, 16, 1, 1], 1, dtype).mul(0)));
      const values = numbers(broken);
      values[0] = Number.NaN;
      const input = toChannelsLast(tensor(values, [2, 16, 4, 4], { dtype }));
      const weight = tensor(new Float32Array(16).fill(1), [16]);
      const bias = tensor(new Float32Array(16).fill(1), [16]);
      const options = { weight, bias, running: null, training: true, momentum, epsilon };
      const { output, pooled } = normRelu(input, { ...options, after: 'relu and max-pool' })!;
      for (const y of [output, pooled!]) {
        const ofChannel = y.narrow(1, 0, 1);
        expect(numbers(ofChannel).every(Number.isNaN)).toBe(true);
        expect(numbers(y.narrow(1, 1, 15)).every((value) => value === 1)).toBe(true);
      }
    });
  });

  test('takes no maps but those on the CPU in f32 or bf16, channels-last, with a multiple of 16 channels and a window at least', () => {
    tidy(() => {
      const taken = (x: Tensor, channels: number, dtype: Dtype = 'f32') => {
        const [weight, bias] = [make([channels], 1, dtype), make([channels], 2, dtype)];
        const options = { weight, bias, running: null, training: true, momentum, epsilon };
        return normRelu(x, { ...options, after: 'relu and max-pool' }) !== undefined;
      };
      expect(taken(make([2, 16, 4, 4], 1, 'f32'), 16)).toBe(true);
      expect(taken(make([2, 16, 4, 1], 1, 'f32'), 16)).toBe(false);
      expect(taken(make([2, 24, 4, 4], 1, 'f32'), 24)).toBe(false);
      expect(taken(make([2, 16, 4, 4], 1, 'f64'), 16)).toBe(false);
      expect(taken(make([2, 16, 4, 4], 1, 'f32'), 16, 'f64')).toBe(false);
      expect(taken(make([2, 16, 4, 4], 1, 'f32').to({ memoryFormat: 'contiguous' }), 16)).toBe(false);
    });
  });
});

describe('a convolution that computes its input again', () => {
  test.each(['map', 'pool'] as const)('does not need what the %s was', (from) => {
    tidy(() => {
      const gradients = [false, true].map((again) => {
        const x = make([2, 16, 6, 6], 1, 'f32').detach().setRequiresGrad();
        const [weight, bias] = [
          make([16], 2, 'f32').setRequiresGrad(),
          make([16], 3, 'f32').setRequiresGrad(),
        ];
        const kernel = make([16, 16, 3, 3], 4, 'f32').detach().setRequiresGrad();
        const options = { weight, bias, running: null, training: true, momentum, epsilon };
        const { output, pooled } = normRelu(x, { ...options, after: 'relu and max-pool' })!;
        const y = from === 'map' ? output : pooled!;
        const z = ops.conv2d(y, kernel, null, [1, 1], [1, 1]);
        if (again) {
          expect(recomputeInput(y, z)).toBe(true);
          noGrad(() => ops.mulScalar_(y.detach(), 0));
        }
        z.mul(make(z.shape, 5, 'f32'))
          .sum()
          .backward();
        return [x, weight, bias, kernel].map((leaf) => numbers(leaf.grad!));
      });
      expect(gradients[1]).toEqual(gradients[0]);
    });
  });

  test('is any of a network inside recomputingInputs', () => {
    tidy(() => {
      const gradients = [false, true].map((again) => {
        const [norm, conv] = [new BatchNorm(16), new Conv3x3(16, 16, new Random('maps'))];
        const x = make([2, 16, 6, 6], 1, 'f32').detach().setRequiresGrad();
        const y = norm.forwardRelu(x, { training: true });
        const z = again ? recomputingInputs(() => conv.forward(y)) : conv.forward(y);
        if (again) noGrad(() => ops.mulScalar_(y.detach(), 0));
        z.mul(make(z.shape, 5, 'f32'))
          .sum()
          .backward();
        return [x, ...Object.values(conv.parameters)].map((leaf) => numbers(leaf.grad!));
      });
      expect(gradients[1]).toEqual(gradients[0]);
    });
  });

  test('leaves alone what is no convolution of a batch norm', () => {
    tidy(() => {
      const x = make([2, 16, 6, 6], 1, 'f32').detach().setRequiresGrad();
      const z = ops.conv2d(x, make([16, 16, 1, 1], 4, 'f32').setRequiresGrad(), null, [1, 1], [0, 0]);
      expect(recomputeInput(x, z)).toBe(false);
      expect(recomputeInput(z, ops.relu(z))).toBe(false);
    });
  });
});

describe('a layer of batch norm', () => {
  test('records the batch if asked to', () => {
    tidy(() => {
      const norm = new BatchNorm(16);
      const x = make([2, 16, 4, 4], 1, 'f32');
      norm.forwardReluPool(x, { training: true, record: false });
      expect(numbers(norm.buffers.running_mean)).toEqual(new Array(16).fill(0));
      expect(norm.buffers.num_batches_tracked.item()).toBe(0);
      norm.forwardReluPool(x, { training: true });
      expect(numbers(norm.buffers.running_mean)).not.toContain(0);
      expect(norm.buffers.num_batches_tracked.item()).toBe(1);
    });
  });

  test('the gradient at a map is that of all that reads it, also by the pool of its own node', () => {
    const shape: Shape = [3, 16, 5, 6];
    const found = (['f32', 'f64'] as const).map((dtype) =>
      tidy(() => {
        const norm = new BatchNorm(16);
        // In f64 the pool is a node of its own, which reads the map.
        const wide = (x: Tensor) => x.to({ dtype }).detach().setRequiresGrad();
        const { weight, bias } = norm.parameters;
        if (dtype === 'f64') for (const own of [weight, bias]) ops.setData(own, own.to({ dtype }).detach());
        const { map, pooled } = norm.forwardReluPool(wide(make(shape, 1, 'f32')), {
          training: true,
          record: false,
        });
        const losses = [
          map
            .mul(make(shape, 2, dtype))
            .sum()
            .add(pooled.mul(make([3, 16, 2, 3], 3, dtype)).sum()),
          map.mul(make(shape, 2, dtype)).sum(),
          pooled.mul(make([3, 16, 2, 3], 3, dtype)).sum(),
        ];
        return losses.map((loss) => numbers(gradientsAtMaps(loss, [map])[0]!));
      }),
    );
    for (const i of [0, 1, 2]) expect(relativeError(found[0]![i]!, found[1]![i]!)).toBeLessThan(1e-6);
  });
});

describe('sums over patches', () => {
  test.each([
    [8, 8, 4, 4],
    [7, 9, 2, 4],
    [5, 5, 5, 5],
    [6, 6, 1, 1],
  ])(
    'of %i×%i pixels on a grid of %i×%i equal sums one by one, with their gradient',
    (height, width, rows, columns) => {
      for (const dtype of ['f32', 'bf16'] as const) {
        tidy(() => {
          const shape = [5, 16, height, width] as const;
          const map = make(shape, 1, dtype).detach().setRequiresGrad();
          const sums = patchSums(map, { first: 1, count: 3, rows, columns })!;
          expect(sums.dtype).toBe('f32');
          const factors = make([3, 16, rows, columns], 2, 'f32');
          sums.mul(factors).sum().backward();
          const [pixels, found, by, gradient] = [map, sums, factors, map.grad!].map((x) => numbers(x)) as [
            number[],
            number[],
            number[],
            number[],
          ];
          const expected = new Array<number>(found.length).fill(0);
          const through = new Array<number>(pixels.length).fill(0);
          const [tall, wide] = [Math.floor(height / rows), Math.floor(width / columns)];
          for (let at = 0; at < pixels.length; at += 1) {
            const x = at % width;
            const y = Math.floor(at / width) % height;
            const plane = Math.floor(at / width / height) - 16;
            const [row, column] = [Math.floor(y / tall), Math.floor(x / wide)];
            if (plane < 0 || plane >= 48 || row >= rows || column >= columns) continue;
            const patch = (plane * rows + row) * columns + column;
            expected[patch]! += pixels[at]!;
            through[at] = by[patch]!;
          }
          expect(relativeError(found, expected)).toBeLessThan(1e-6);
          expect(relativeError(gradient, through)).toBeLessThan(dtype === 'bf16' ? 2 ** -8 : 1e-7);
        });
      }
    },
  );
});
