import { describe, expect, test } from 'vitest';
import { resample } from '../../../src/augment/index.js';
import { consistencyLoss, globalContrastiveLoss } from '../../../src/losses/index.js';
import { normalize } from '../../../src/methods/index.js';
import { noGrad, ops, type Tensor, tensor, tidy } from '../../../src/tensor/index.js';
import {
  anatomySettings,
  numbers,
  pictures,
  tinyBatch,
  tinyConfig,
  tinyMethod,
} from '../../training/tiny.js';

/** View `v` of pair `i`. */
const image = (images: Tensor, pairs: number, v: number, i: number) =>
  numbers(ops.narrow(images, 0, v * pairs + i, 1));

describe('the views of the paper’s method', () => {
  test('come in the order A, B, Â, B̂, and the first two are the resized images themselves', () => {
    tidy(() => {
      const batch = tinyBatch(3);
      const { images, pairs, specs } = tinyMethod().views(batch);
      expect(specs.map(({ modality, look }) => `${modality} ${look}`)).toEqual([
        'a whole',
        'b whole',
        'a 0',
        'b 0',
      ]);
      expect([pairs.ids.length, images.shape, images.dtype]).toEqual([3, [12, 1, 32, 32], 'f32']);
      const [a, b] = [batch.images.a!, batch.images.b!].map((x) => numbers(resample(x, null, { size: 32 })));
      expect(numbers(images.narrow(0, 0, 3))).toEqual(a);
      expect(numbers(images.narrow(0, 3, 3))).toEqual(b);
      // Augmented: like their own modality's image, but not it. Without crop, flip and jitter they are it.
      const plain = tinyMethod(tinyConfig('augment={crop: null, flip: 0, jitter: null}')).views(batch).images;
      expect(numbers(plain.narrow(0, 6, 3))).toEqual(a);
      expect(numbers(plain.narrow(0, 9, 3))).toEqual(b);
      expect(numbers(images.narrow(0, 6, 3))).not.toEqual(a);
    });
  });

  test('depend on seed, epoch and id, and not on the rest of the batch', () => {
    tidy(() => {
      const method = tinyMethod(tinyConfig('augment=simclr'));
      const batch = tinyBatch(4, [1, 3]);
      const { images } = method.views(batch);
      expect(numbers(method.views(batch).images)).toEqual(numbers(images));
      const order = [2, 0];
      const chosen = (x: Tensor) => ops.indexSelect(x, 0, tensor(order, [2], { dtype: 'i64' }));
      const fewer = method.views({
        images: { a: chosen(batch.images.a!), b: chosen(batch.images.b!) },
        ids: order.map((i) => batch.ids[i]!),
        rows: order,
        epoch: 0,
      }).images;
      for (let v = 0; v < 4; v += 1) {
        order.forEach((i, at) => void expect(image(fewer, 2, v, at)).toEqual(image(images, 4, v, i)));
      }
    });
  });

  test('differ with epoch, seed and id where they are augmented, and stay the same where they are clean', () => {
    tidy(() => {
      const batch = tinyBatch(2);
      const before = tinyMethod().views(batch).images;
      const others = [
        tinyMethod().views({ ...batch, epoch: 1 }),
        tinyMethod(tinyConfig('seed=1')).views(batch),
        tinyMethod().views({ ...batch, ids: ['x', 'y'] }),
      ];
      for (const { images } of others) {
        expect(numbers(images.narrow(0, 0, 4))).toEqual(numbers(before.narrow(0, 0, 4)));
        for (const v of [2, 3]) {
          for (const i of [0, 1]) expect(image(images, 2, v, i)).not.toEqual(image(before, 2, v, i));
        }
      }
    });
  });

  test('keep gray at one channel, and make three equal ones of it beside colour', () => {
    tidy(() => {
      const { images } = tinyMethod().views(tinyBatch(2, [1, 3]));
      expect(images.shape).toEqual([8, 3, 32, 32]);
      const [red, green, blue] = [0, 1, 2].map((channel) =>
        numbers(images.narrow(0, 0, 2).narrow(1, channel, 1)),
      );
      expect(green).toEqual(red);
      expect(blue).toEqual(red);
      const colour = numbers(images.narrow(0, 2, 2).narrow(1, 0, 1));
      expect(numbers(images.narrow(0, 2, 2).narrow(1, 1, 1))).not.toEqual(colour);
    });
  });

  test('keep the colours of a modality whose colours are measurements', () => {
    tidy(() => {
      const config = tinyConfig('augment={crop: null, flip: 0, grayscale: 1, jitter: null}');
      const batch = tinyBatch(2, [3, 3]);
      const kept = tinyMethod(config, ['b']).views(batch).images;
      const spread = (x: Tensor) =>
        ops
          .amax(
            x
              .narrow(1, 0, 1)
              .sub(x.narrow(1, 1, 1))
              .pow(2),
            [0, 1, 2, 3],
            false,
          )
          .item();
      expect(spread(kept.narrow(0, 4, 2))).toBe(0); // Â lost its colours
      expect(spread(kept.narrow(0, 6, 2))).toBeGreaterThan(0.1); // B̂ kept them
    });
  });

  test('need every modality, and an error names the missing one', () => {
    const { images, ...batch } = tinyBatch(2);
    expect(() => tinyMethod().views({ ...batch, images: { a: images.a! } })).toThrow(
      /the batch has a, expected modality b/,
    );
  });

  test('are normalised as (x − mean) / std for imagenet, also in gray', () => {
    tidy(() => {
      const x = tensor([0, 0.5, 1, 0.25], [1, 1, 2, 2]);
      expect(normalize(x, 'none')).toBe(x);
      const found = numbers(normalize(x, 'imagenet'));
      const [mean, std] = [
        [0.485, 0.456, 0.406],
        [0.229, 0.224, 0.225],
      ];
      const expected = [0, 1, 2].flatMap((c) =>
        [0, 0.5, 1, 0.25].map((value) => (value - mean![c]!) / std![c]!),
      );
      found.forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, 5));
      expect(numbers(normalize(ops.expand(x, [1, 3, 2, 2]), 'imagenet'))).toEqual(found);
    });
  });
});

describe('the forward pass of the paper’s method', () => {
  test.each([
    ['gray', [1, 1]],
    ['colour', [3, 3]],
    ['both', [1, 3]],
  ] as const)('runs channels-last from the first to the last map: %s', (_, channels) => {
    tidy(() => {
      const method = tinyMethod(tinyConfig('method.maps=[0,1,2,3]'));
      const views = method.views(tinyBatch(2, [...channels]));
      // A convolution tells: its output is channels-last if its input is, or its weight. Strides of gray alone would
      // not.
      const channelsFirst = ops.full([4, views.images.size(1), 3, 3], 0.1, null, null, null);
      expect(ops.conv2d(views.images, channelsFirst, null, [1, 1], [1, 1]).memoryFormat).toBe('channelsLast');
      const { maps } = method.forward(views);
      expect(Object.keys(maps)).toEqual(['map0', 'map1', 'map2', 'map3']);
      for (const map of Object.values(maps)) expect(map.memoryFormat).toBe('channelsLast');
      const [weight] = method.parameters().values();
      expect(weight!.memoryFormat).toBe('channelsLast');
    });
  });

  test.each([
    ['paper', []],
    ['authors', ['recipe=authors', 'data.size=32']],
  ])('has the losses of the encoder’s outputs as its terms: %s', (_, more) => {
    tidy(() => {
      const config = tinyConfig(...more);
      const method = tinyMethod(config);
      const views = method.views(tinyBatch(4));
      // A twin, as batch norm records what it has seen; its training output does not depend on that.
      const { maps, embedding } = tinyMethod(config)
        .encoderFor('a')
        .forward(views.images, { training: true });
      const options = { ...anatomySettings(config), patches: [2, 2] as const, relationTau: undefined };
      const part = (x: Tensor, v: number) => x.narrow(0, 4 * v, 4);
      const consistency = consistencyLoss(
        [1, 2, 3].map((m) => part(maps[m]!, 0)),
        [1, 2, 3].map((m) => part(maps[m]!, 1)),
        options,
      );
      const global = globalContrastiveLoss(
        { a: part(embedding, 0), b: part(embedding, 1), aHat: part(embedding, 2), bHat: part(embedding, 3) },
        options,
      );
      const forward = method.forward(views);
      const terms = { ...forward.perPair, ...method.loss!(forward.embeddings, tinyBatch(4)) };
      expect(Object.keys(terms)).toEqual(['consistency', 'global']);
      expect(terms.consistency!.value.item()).toBe(consistency.item());
      expect(terms.global!.value.item()).toBe(global.item());
      expect([terms.consistency!.weight, terms.global!.weight]).toEqual([1, 3]);
    });
  });

  test('gives the augmented views no gradient of L_C, which compares A and B alone', () => {
    tidy(() => {
      const method = tinyMethod(tinyConfig('model.backbone=vgg16')); // batch norm would mix the views
      const views = method.views(tinyBatch(3));
      const { images } = views;
      images.setRequiresGrad();
      method.forward(views).perPair.consistency!.value.backward();
      const gradient = numbers(images.grad!);
      const perView = gradient.length / 4;
      const size = (v: number) => Math.max(...gradient.slice(v * perView, (v + 1) * perView).map(Math.abs));
      expect(size(0)).toBeGreaterThan(0);
      expect(size(1)).toBeGreaterThan(0);
      expect([size(2), size(3)]).toEqual([0, 0]);
    });
  });
});

describe('the weights of the paper’s method', () => {
  test('of alpha 0 log the global term, and give the head no gradient', () => {
    tidy(() => {
      const method = tinyMethod(tinyConfig('method.alpha=0'));
      const forward = method.forward(method.views(tinyBatch(4)));
      const { global } = method.loss!(forward.embeddings, tinyBatch(4));
      expect(global!.weight).toBe(0);
      expect(global!.value.item()).toBeGreaterThan(0);
      expect(global!.value.requiresGrad).toBe(false);
      forward.perPair.consistency!.value.backward();
      expect(method.parameters().get('head.weight')!.grad).toBeNull();
      expect(method.parameters().get('features.0.weight')!.grad).not.toBeNull();
    });
  });

  test('of consistencyWeight 0 log L_C with its usual value, without a graph', () => {
    tidy(() => {
      const batch = tinyBatch(4);
      const value = (...set: string[]) => {
        const method = tinyMethod(tinyConfig(...set));
        return method.forward(method.views(batch)).perPair.consistency!;
      };
      const [off, on] = [value('method.consistencyWeight=0'), value('method.consistencyWeight=100')];
      expect(off.value.requiresGrad).toBe(false);
      expect([off.weight, on.weight]).toEqual([0, 100]);
      expect(off.value.item()).toBe(on.value.item());
    });
  });

  test('must not both be 0', () => {
    const config = tinyConfig();
    Object.assign(config.method, { alpha: 0, consistencyWeight: 0 });
    expect(() => tinyMethod(config)).toThrow(/both 0, so nothing would be trained/);
  });
});

describe('the chance levels of the paper’s method', () => {
  test('are 4·ln N, with ln(N + 1) where the positive stands twice, and half of it without L_M', () => {
    tidy(() => {
      for (const [positive, rows, crossModal, terms] of [
        ['once', 4, 'both-directions', 4],
        ['twice', 5, 'both-directions', 4],
        ['once', 4, 'none', 2],
      ] as const) {
        const method = tinyMethod(
          tinyConfig(`method.positive=${positive}`, `method.crossModal=${crossModal}`),
        );
        const forward = method.forward(method.views(tinyBatch(4)));
        expect(method.chance(forward, tinyBatch(4)).global).toBeCloseTo(terms * Math.log(rows), 12);
        // It is the loss of embeddings that are all the same.
        const same = tensor(new Float32Array(4 * 6).fill(1), [4, 6]);
        const views = { a: same, b: same, 'augmented a': same, 'augmented b': same };
        expect(method.loss!(views, tinyBatch(4)).global!.value.item()).toBeCloseTo(
          method.chance(forward, tinyBatch(4)).global!,
          5,
        );
      }
    });
  });

  test('are for L_C its value with every A beside the B of another pair', () => {
    tidy(() => {
      const method = tinyMethod();
      const forward = method.forward(method.views(tinyBatch(4)));
      const maps = Object.values(forward.maps);
      const rolled = tensor([3, 0, 1, 2], [4], { dtype: 'i64' });
      const expected = noGrad(() =>
        consistencyLoss(
          maps.map((map) => map.narrow(0, 0, 4)),
          maps.map((map) => ops.indexSelect(map.narrow(0, 4, 4), 0, rolled)),
          { patches: [2, 2] },
        ).item(),
      );
      const { consistency } = method.chance(forward, tinyBatch(4));
      expect(consistency).toBeCloseTo(expected, 6);
      // Equal modalities: no distance, but by chance there would be one.
      const twin = { ...tinyBatch(4), images: { a: pictures(4, 1, 'a'), b: pictures(4, 1, 'a') } };
      const aligned = method.forward(method.views(twin));
      expect(aligned.perPair.consistency!.value.item()).toBe(0);
      expect(method.chance(aligned, tinyBatch(4)).consistency).toBeGreaterThan(0.001);
    });
  });
});
