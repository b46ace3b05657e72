import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { reconstructionChance, reconstructionLoss } from '../../../src/losses/index.js';
import { Reconstruction } from '../../../src/methods/anatomy/reconstruction.js';
import { anatomy, type Method, normalize, viewPart } from '../../../src/methods/index.js';
import { withoutNormalization } from '../../../src/methods/normalization.js';
import { matedPairs } from '../../../src/methods/presence.js';
import { disposeModule, namedParameters, stateDict } from '../../../src/nn/index.js';
import { Sgd } from '../../../src/optim/index.js';
import { noGrad, ops, type Tensor, tensor, tidy } from '../../../src/tensor/index.js';
import { trainingStep } from '../../../src/training/step.js';
import { relativeError, values } from '../../golden/formula.js';
import {
  batchOf,
  freed,
  GAPPED,
  gappedBatch,
  methodOf,
  numbers,
  tinyBatch,
  tinyConfig,
  tinyMethod,
  withOneThread,
} from '../../training/tiny.js';

withOneThread();

const THREE = ['a', 'b', 'c'];
const ALONE = ['method.alpha=0', 'method.consistencyWeight=0', 'method.reconstruction={}'];
const BATCH = [0, 3, 5, 8, 10];
const make = (...set: string[]): Method => tinyMethod(tinyConfig(...set));

/** The largest absolute gradient at the parameters whose names begin so; 0 without a gradient. */
function pull(method: Method, prefix: string): number {
  const own = [...method.parameters()].filter(([name]) => name.startsWith(prefix));
  expect(own.length).toBeGreaterThan(0);
  return Math.max(...own.flatMap(([, { grad }]) => (grad === null ? [0] : numbers(grad).map(Math.abs))));
}

interface Golden {
  batchNorm: boolean;
  channels: number;
  loss: number;
  chance: number;
  maps: number[][];
  parameters: number[][];
  buffers: number[][];
}
const golden: Golden[] = JSON.parse(
  readFileSync(new URL('../../golden/reconstruction.json', import.meta.url), 'utf8'),
);

/** The decoders of the golden script, in f64. */
function goldenDecoders(batchNorm: boolean): Reconstruction {
  const decoders = new Reconstruction({
    modalities: THREE,
    input: 5,
    stride: 16,
    channels: 4,
    batchNorm,
    seed: 0,
  });
  noGrad(() =>
    [...namedParameters(decoders).values()].forEach((parameter, seed) => {
      ops.setData(parameter, tensor(values(parameter.shape, 100 + seed, -0.4, 0.6), parameter.shape));
    }),
  );
  for (const [name, buffer] of stateDict(decoders)) {
    if (/running_/.test(name)) noGrad(() => ops.setData(buffer, buffer.to({ dtype: 'f64' })));
  }
  return decoders;
}

describe('the decoders, for three modalities of which samples lack some', () => {
  const present = { b: [0, 2, 3, 5], c: [1, 3, 4, 5] };
  const counts = [6, 4, 4];
  const ids = ['p', 'q', 'r', 's', 't', 'u'];
  const pairs = { ids, rows: [0, 1, 2, 3, 4, 5], epoch: 0, present };
  const specs = (['whole', 0] as const).flatMap((look) => THREE.map((modality) => ({ modality, look })));
  const mated = matedPairs(pairs, { modalities: THREE, seed: 0 });

  test.each(golden)(
    'are PyTorch’s with their gradients in f64: batch norm $batchNorm, $channels channels',
    (c) => {
      tidy(() => {
        const made = (channels: number, side: number, seed: number) =>
          [...counts, ...counts].map((count, view) => {
            const shape = [count, channels, side, side];
            return tensor(values(shape, seed + view, 0, 1), shape);
          });
        const maps = made(5, 2, 10).map((map) => map.setRequiresGrad());
        const images = ops.cat(made(c.channels, 32, 20), 0);
        const decoders = goldenDecoders(c.batchNorm);
        const { loss, targets } = decoders.forward(ops.cat(maps, 0), { images, specs, pairs }, mated, {
          record: true,
        });
        loss!.backward();
        // f64: some thousand sums of rounding 1e-16; batch norm of 16 values multiplies errors.
        const tolerance = 1e-12;
        expect(relativeError([loss!.item()], [c.loss])).toBeLessThan(tolerance);
        const chance = decoders.chance(targets, { specs, pairs }, mated)!.item();
        expect(relativeError([chance], [c.chance])).toBeLessThan(tolerance);
        maps.forEach((map, view) => {
          // The augmented views, 3 to 5, take no part.
          const expected = c.maps[view] ?? Array(map.toArray().length).fill(0);
          expect(relativeError(numbers(map.grad!), expected)).toBeLessThan(tolerance);
        });
        const gradients = [...namedParameters(decoders).values()].map(({ grad }) => numbers(grad!));
        const largest = Math.max(...c.parameters.flat().map(Math.abs));
        expect(gradients).toHaveLength(c.parameters.length);
        gradients.forEach((gradient, i) => {
          // Before batch norm a bias has no effect: its gradient is rounding noise beside the others.
          const worst = Math.max(...gradient.map((x, at) => Math.abs(x - c.parameters[i]![at]!)));
          expect(worst / largest).toBeLessThan(tolerance);
        });
        const buffers = [...stateDict(decoders)].filter(([name]) => /running_|num_/.test(name));
        expect(buffers).toHaveLength(c.buffers.length);
        buffers.forEach(([name, buffer], i) => {
          expect(relativeError(numbers(buffer), c.buffers[i]!), name).toBeLessThan(tolerance);
        });
        disposeModule(decoders);
      });
    },
  );

  test('move batch norm’s running statistics where the pass is recorded, and not otherwise', () => {
    tidy(() => {
      const method = make(...ALONE);
      const counters = () =>
        [...method.state()].flatMap(([name, x]) => (/^decoder.*tracked$/.test(name) ? [x.item()] : []));
      const views = method.views(batchOf(BATCH));
      method.forward(views, { record: false });
      expect(counters()).toEqual([0, 0, 0, 0]);
      method.forward(views);
      expect(counters()).toEqual([1, 1, 1, 1]);
    });
  });
});

describe('the error of a reconstruction', () => {
  const x = (shape: number[], seed: number): Tensor => tensor(values(shape, seed, 0, 1), shape);

  test('is 0 for the image itself, also in gray as three equal channels', () => {
    tidy(() => {
      const [colour, gray] = [x([2, 3, 4, 4], 1), x([2, 1, 4, 4], 1)];
      expect(reconstructionLoss(colour, colour).item()).toBe(0);
      expect(reconstructionLoss(ops.expand(gray, [-1, 3, -1, -1]), gray).item()).toBe(0);
    });
  });

  test('is the same for a gray image in one channel or in three', () => {
    tidy(() => {
      const [predicted, gray] = [x([2, 3, 4, 4], 1), x([2, 1, 4, 4], 2)];
      const three = reconstructionLoss(predicted, ops.expand(gray, [-1, 3, -1, -1])).item();
      expect(reconstructionLoss(predicted, gray).item()).toBeCloseTo(three, 14);
      const chance = reconstructionChance(gray).item();
      expect(reconstructionChance(ops.expand(gray, [-1, 3, -1, -1])).item()).toBeCloseTo(chance, 14);
    });
  });

  test('by chance is the variance over the images at each pixel, so one image has none', () => {
    tidy(() => {
      const images = tensor([0, 1, 1, 1, 0.5, 0], [3, 1, 1, 2], { dtype: 'f64' });
      // Pixel 1: 0, 1, 0.5 of variance ¼. Pixel 2: 1, 1, 0 of variance ⅓.
      expect(reconstructionChance(images).item()).toBeCloseTo((1 / 4 + 1 / 3) / 2, 14);
      expect(() => reconstructionChance(images.narrow(0, 0, 1))).toThrow('1 images, expected at least 2');
    });
  });

  test('gives the image no gradient, and refuses shapes that do not go together', () => {
    tidy(() => {
      const [predicted, image] = [x([2, 3, 4, 4], 1).setRequiresGrad(), x([2, 3, 4, 4], 2).setRequiresGrad()];
      reconstructionLoss(predicted, image).backward();
      expect([predicted.grad === null, image.grad === null]).toEqual([false, true]);
      expect(() => reconstructionLoss(x([2, 1, 4, 4], 1), image)).toThrow(
        'predicted is [2,1,4,4], expected [n, 3, h, w]',
      );
      expect(() => reconstructionLoss(predicted, x([2, 3, 4, 2], 1))).toThrow(
        'images is [2,3,4,2], expected [2,3,4,4], or [2,1,4,4] for gray',
      );
    });
  });
});

/** The images at a quarter of the size, by loops. @param images [n, C, s, s] in 0..1 */
function quartered(images: Tensor): number[][] {
  const [n, channels, side] = images.shape as [number, number, number];
  const from = numbers(images);
  return Array.from({ length: n }, (_, i) => {
    const shrunk = new Array(channels * (side / 4) ** 2).fill(0);
    for (let c = 0; c < channels; c += 1) {
      for (let y = 0; y < side; y += 1) {
        for (let column = 0; column < side; column += 1) {
          const to = (c * (side / 4) + Math.floor(y / 4)) * (side / 4) + Math.floor(column / 4);
          shrunk[to] += from[((i * channels + c) * side + y) * side + column]! / 16;
        }
      }
    }
    return shrunk;
  });
}

/** Makes every decoder paint one value. */
function painting(method: Method, value: number): Method {
  noGrad(() => {
    for (const [name, parameter] of method.parameters()) {
      if (/decoder\..*\.image\.weight/.test(name)) ops.zero_(parameter);
      if (/decoder\..*\.image\.bias/.test(name)) ops.addScalar_(ops.zero_(parameter), value);
    }
  });
  return method;
}

const flat = (images: readonly number[][]) => images.flat();
const meanOf = (xs: readonly number[]) => xs.reduce((sum, x) => sum + x, 0) / xs.length;
const about = (xs: readonly number[], m: number) => meanOf(xs.map((x) => (x - m) ** 2));

describe('the reconstruction as a term of the paper’s method', () => {
  test.each([
    ['gray, un-normalised', [1, 1], 'none', 'whole'],
    ['gray beside colour', [1, 3], 'none', 'whole'],
    ['gray in one channel, normalised to three', [1, 1], 'imagenet', 'whole'],
    ['colour, normalised', [3, 3], 'imagenet', 'whole'],
    ['one crop of both', [1, 3], 'none', 'shared-crop'],
  ] as const)(
    'with decoders that paint m alone is the variance of the un-augmented views about m: %s',
    (_, channels, normalization, look) => {
      tidy(() => {
        const set = [`data.normalize=${normalization}`, `method.alignedViews=${look}`];
        const method = painting(make(...ALONE, ...set), 0.3);
        const batch = tinyBatch(4, [...channels]);
        const views = method.views(batch);
        const plain = withoutNormalization(views.images, normalization);
        const [a, b] = [0, 1].map((view) => quartered(viewPart(plain, views, view)));
        const { perPair, targets } = method.forward(views);
        const expected = (about(flat(a!), 0.3) + about(flat(b!), 0.3)) / 2;
        // f32 means of some thousand values, and imagenet's division undone.
        expect(perPair.reconstruction!.value.item()).toBeCloseTo(expected, 6);
        expect(perPair.reconstruction!.weight).toBe(10);
        expect(relativeError(numbers(targets!), [...flat(a!), ...flat(b!)])).toBeLessThan(1e-6);
      });
    },
  );

  test('has the mean image of each modality as its chance level, and none for one pair', () => {
    tidy(() => {
      const method = make(...ALONE);
      const views = method.views(batchOf(BATCH));
      const forward = method.forward(views);
      const variances = [0, 1].map((view) => {
        const images = quartered(viewPart(views.images, views, view));
        const mean = images[0]!.map((_, at) => meanOf(images.map((image) => image[at]!)));
        const squares = images.map((image) => meanOf(image.map((x, at) => (x - mean[at]!) ** 2)));
        return squares.reduce((sum, square) => sum + square, 0) / (BATCH.length - 1);
      });
      const chance = method.chance(forward, batchOf(BATCH));
      expect(Object.keys(chance)).toEqual(['consistency', 'reconstruction', 'global']);
      expect(chance.reconstruction).toBeCloseTo(meanOf(variances), 6);
      const one = batchOf([3]);
      expect(Object.keys(method.chance(method.forward(method.views(one)), one))).toEqual(['global']);
    });
  });

  test('stays aligned where both un-augmented views are one crop: a copy of A is painted as A', () => {
    tidy(() => {
      const { images, ...rest } = tinyBatch(4);
      const twin = { ...rest, images: { a: images.a!, b: images.a! } };
      const crops = make(...ALONE, 'method.alignedViews=shared-crop');
      const { targets } = crops.forward(crops.views(twin));
      const [a, b] = [0, 4].map((start) => numbers(targets!.narrow(0, start, 4)));
      expect(b).toEqual(a);
      const whole = make(...ALONE);
      const uncropped = whole.forward(whole.views(twin)).targets!;
      expect(numbers(uncropped.narrow(0, 0, 4))).not.toEqual(a);
    });
  });

  test('alone trains encoder and decoders, and neither the head nor the other terms', () => {
    tidy(() => {
      const method = make(...ALONE, 'method.reconstruction={weight: 2, channels: 7}');
      const { perPair } = method.forward(method.views(batchOf(BATCH)));
      expect([perPair.consistency!.weight, perPair.reconstruction!.weight]).toEqual([0, 2]);
      expect(perPair.consistency!.value.requiresGrad).toBe(false);
      perPair.reconstruction!.value.backward();
      expect(pull(method, 'features.0.weight')).toBeGreaterThan(0);
      for (const name of ['a-to-b', 'b-to-a']) {
        expect(pull(method, `decoder.${name}.0.conv.weight`)).toBeGreaterThan(0);
        expect(pull(method, `decoder.${name}.image`)).toBeGreaterThan(0);
      }
      expect(pull(method, 'head')).toBe(0);
    });
  });

  test('leaves the other terms as they are, to the bit', () => {
    const terms = (...set: string[]) =>
      tidy(() => {
        const method = make(...set);
        const batch = batchOf(BATCH);
        const forward = method.forward(method.views(batch));
        const all = { ...forward.perPair, ...method.loss!(forward.embeddings, batch) };
        return Object.fromEntries(Object.entries(all).map(([name, { value }]) => [name, value.item()]));
      });
    const { reconstruction, ...others } = terms('method.reconstruction={}');
    expect(reconstruction).toBeGreaterThan(0);
    expect(others).toEqual(terms());
  });

  test('has decoders of its own for each direction, with batch norm where the encoder has it', () => {
    const shapes = (...set: string[]) => {
      const method = make(...ALONE, 'method.reconstruction={channels: 3}', ...set);
      const own = [...method.state()].filter(([name]) => name.startsWith('decoder.a-to-b.'));
      expect([...method.state()].filter(([name]) => name.startsWith('decoder.'))).toHaveLength(
        2 * own.length,
      );
      return Object.fromEntries(own.map(([name, { shape }]) => [name.replace('decoder.a-to-b.', ''), shape]));
    };
    const plain = {
      '0.conv.weight': [3, 128, 3, 3],
      '0.conv.bias': [3],
      '1.conv.weight': [3, 3, 3, 3],
      '1.conv.bias': [3],
      'image.weight': [3, 3],
      'image.bias': [3],
    };
    const norm = ['weight', 'bias', 'running_mean', 'running_var'].flatMap((name) =>
      [0, 1].map((stage) => [`${stage}.norm.${name}`, [3]] as const),
    );
    const counters = { '0.norm.num_batches_tracked': [], '1.norm.num_batches_tracked': [] };
    expect(shapes('model.backbone=vgg16')).toEqual(plain);
    expect(shapes()).toEqual({ ...plain, ...Object.fromEntries(norm), ...counters });
  });

  test('reads the second branch alone where the common part is one, and both without a common part', () => {
    const pulls = (...set: string[]) =>
      tidy(() => {
        const method = make('model.branches=2', 'model.embeddingSize=10', ...ALONE, ...set);
        method.forward(method.views(batchOf(BATCH))).perPair.reconstruction!.value.backward();
        return [0, 1].map((branch) => pull(method, `branches.${branch}.features.0.weight`) > 0);
      });
    expect(pulls('method.common={}')).toEqual([false, true]);
    expect(pulls()).toEqual([true, true]);
  });

  test('gives a sample that lacks the mate no part in it: the gradients of the others stay', () => {
    const gradients = [
      [5, 0, 9, 8, 2],
      [5, 0, 9, 8, 2, 11],
    ].map((rows) =>
      tidy(() => {
        // Batch norm of the encoder would mix the samples; a decoder sees only images with a mate.
        const method = methodOf(tinyConfig(...ALONE, 'model.backbone=vgg16'), THREE);
        const batch = gappedBatch(rows, THREE);
        const { perPair } = method.forward(method.views(batch));
        perPair.reconstruction!.value.backward();
        const all = [...method.parameters()].map(
          ([name, { grad }]) => [name, grad && numbers(grad)] as const,
        );
        return { value: perPair.reconstruction!.value.item(), all };
      }),
    );
    expect(GAPPED[11]!.images).toEqual({ a: 1 });
    const [without, withIt] = gradients;
    expect(relativeError([withIt!.value], [without!.value])).toBeLessThan(1e-6);
    for (const [i, [name, gradient]] of withIt!.all.entries()) {
      const expected = without!.all[i]![1];
      // The same sums in f32; convolutions choose other blocks for another number of images.
      if (gradient === null) expect(expected, name).toBeNull();
      else expect(relativeError(gradient, expected!), name).toBeLessThan(1e-4);
    }
  });

  test('is 0 with a graph where nobody in the batch has two images', () => {
    tidy(() => {
      const samples = GAPPED.map((sample, row) => {
        return BATCH.includes(row) ? { ...sample, images: { b: 1 } as Record<string, number> } : sample;
      });
      const method = methodOf(tinyConfig(...ALONE), THREE, samples);
      const batch = gappedBatch(BATCH, THREE, { samples });
      const forward = method.forward(method.views(batch));
      const { value } = forward.perPair.reconstruction!;
      expect([value.item(), value.requiresGrad]).toEqual([0, true]);
      expect(method.chance(forward, batch)).not.toHaveProperty('reconstruction');
    });
  });

  test('falls below chance as it is trained', () => {
    const method = make(...ALONE);
    const optimizer = freed(new Sgd(method.parameters(), { momentum: 0.9 }));
    const rates = { learningRate: 0.03, precision: 'fp32', device: 'cpu', inspect: true } as const;
    const batch = batchOf([0, 1, 2, 3, 4, 5, 6, 7]);
    const steps = Array.from({ length: 40 }, () => trainingStep({ method, optimizer, batch, ...rates }));
    const { terms, inspection, loss } = steps.at(-1)!;
    expect(loss).toBeCloseTo(10 * terms.reconstruction!, 5);
    expect(terms.reconstruction!).toBeLessThan(0.5 * inspection['chance/reconstruction']!);
  });
});

describe('the settings of the reconstruction', () => {
  test('let it be all that is trained, of samples with two images', () => {
    const { method } = tinyConfig(...ALONE);
    const learns = (has: string[]) => anatomy.learnsFrom!(method as never, has, THREE);
    expect([learns(['a']), learns(['a', 'c'])]).toEqual([false, true]);
    expect(() => methodOf(tinyConfig(...ALONE), ['a'])).toThrow(/one modality \(a\).*anatomy with alpha 0/);
  });

  test('are refused by name', () => {
    expect(() => tinyConfig('method.alpha=0', 'method.consistencyWeight=0')).toThrow(
      /alpha or consistencyWeight above 0, or a reconstruction/,
    );
    expect(() => tinyConfig('method.reconstruction={weight: 0}')).toThrow(/reconstruction.weight/);
    expect(() => tinyConfig('method.reconstruction={channels: 0}')).toThrow(/reconstruction.channels/);
    expect(() => tinyConfig('method.reconstruction={chanels: 3}')).toThrow(/chanels/);
  });
});

test('normalisation is undone', () => {
  tidy(() => {
    const x = tensor(new Float32Array(values([2, 3, 4, 4], 1, 0, 1)), [2, 3, 4, 4]);
    expect(withoutNormalization(x, 'none')).toBe(x);
    expect(
      relativeError(numbers(withoutNormalization(normalize(x, 'imagenet'), 'imagenet')), numbers(x)),
    ).toBeLessThan(1e-6);
  });
});
