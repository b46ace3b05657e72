import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDataset } from '../../../../src/data/openDataset.js';
import { chooseAnchors, chooseExamples } from '../../../../src/evaluation/pairs/examples.js';
import { readMasks } from '../../../../src/evaluation/pairs/masks.js';
import { agreementOf, meanOver } from '../../../../src/evaluation/pairs/measures/agreement.js';
import { rankImages } from '../../../../src/evaluation/pairs/measures/patchAgreement.js';
import { pixelSimilarities } from '../../../../src/evaluation/pairs/measures/pixelPatches.js';
import { type LesionMask, patchSpans, zonesOf } from '../../../../src/evaluation/pairs/measures/zones.js';
import { openPhantom } from '../../../../src/phantoms/openPhantom.js';
import { Random, tensor, tidy } from '../../../../src/tensor/index.js';
import { temporaryFolder, writePairs } from '../../../training/tiny.js';

/** Makes a lesion mask of the pixels for which `inside` is true. */
function maskOf(side: number, inside: (x: number, y: number) => boolean): LesionMask {
  const data = Uint8Array.from({ length: side * side }, (_, at) =>
    inside(at % side, Math.floor(at / side)) ? 255 : 0,
  );
  return { width: side, height: side, data };
}

function imageOf(side: number, at: (x: number, y: number) => number): Float32Array {
  return Float32Array.from({ length: side * side }, (_, i) => at(i % side, Math.floor(i / side)));
}

test('spans cut patches as the losses cut them', () => {
  // 14 → 4: floor drops two rows, adaptive overlaps by one (PAPER.md).
  expect(patchSpans(14, 4).map((span) => span.map((end) => end * 14))).toEqual([
    [0, 3],
    [3, 6],
    [6, 9],
    [9, 12],
  ]);
  expect(patchSpans(14, 4, 'adaptive').map((span) => span.map((end) => Math.round(end * 14)))).toEqual([
    [0, 4],
    [3, 7],
    [7, 11],
    [10, 14],
  ]);
});

test('a patch is inside when half of it is lesion, and around when it is within one patch of the lesion', () => {
  // Patches of 4: the lesion fills patch (1, 1) and three of four columns, 12 of 16 pixels, of patch (1, 2).
  const mask = maskOf(24, (x, y) => y >= 4 && y < 8 && x >= 4 && x < 11);
  const zones = zonesOf(mask, patchSpans(24, 6))!;
  const letters = Array.from({ length: 6 }, (_, row) =>
    zones
      .slice(row * 6, (row + 1) * 6)
      .map((zone) => zone[0])
      .join(''),
  );
  expect(letters).toEqual(['aaaarr', 'aiiarr', 'aaaarr', 'rrrrrr', 'rrrrrr', 'rrrrrr']);
  // A quarter of a patch does not make it inside, but around.
  expect(
    zonesOf(
      maskOf(8, (x, y) => x < 2 && y < 2),
      patchSpans(8, 2),
    ),
  ).toEqual(['around', 'around', 'around', 'around']);
  expect(
    zonesOf(
      maskOf(8, () => false),
      patchSpans(8, 2),
    ),
  ).toBeUndefined();
});

test('a mask may have another size and shape than the image', () => {
  const wide: LesionMask = { width: 40, height: 10, data: new Uint8Array(400) };
  for (let y = 0; y < 5; y += 1) wide.data.fill(1, y * 40, y * 40 + 20);
  expect(zonesOf(wide, patchSpans(16, 2))).toEqual(['inside', 'around', 'around', 'around']);
});

test('agreement that holds only at the lesion is found only there', () => {
  const [side, grid] = [32, 8];
  const mask = maskOf(side, (x, y) => x < 16 && y < 16);
  const zones = zonesOf(mask, patchSpans(side, grid))!;
  const ranks = ['a', 'b'].map((salt) => {
    const [shared, own] = [new Random('shared'), new Random(salt)];
    // Half of a patch's 16 pixels are the same in A and B. Of the others one is bright, except in the lesion, and it is
    // another one in each modality. It decides which of the other patches look alike, and does not change a patch of
    // the lesion.
    const patches = Array.from({ length: grid * grid }, (_, patch) => {
      const [bright, tones] = [8 + own.below(8), Array.from({ length: 8 }, () => shared.below(60))];
      return (k: number) => tones[k] ?? (k === bright && zones[patch] !== 'inside' ? 200 : 0);
    });
    const pixels = Uint8Array.from({ length: side * side }, (_, at) => {
      const [x, y] = [at % side, Math.floor(at / side)];
      return patches[(y >> 2) * grid + (x >> 2)]!((y % 4) * 4 + (x % 4));
    });
    return tidy(() => {
      const similarities = pixelSimilarities(tensor(pixels, [1, 1, side, side]), grid, 'patch-pixels');
      return rankImages(similarities.toArray() as Float32Array, grid * grid)[0]!;
    });
  });
  const agreement = agreementOf(ranks[0]!, ranks[1]!, grid * grid);
  const of = (...wanted: string[]) => meanOver(agreement, (anchor) => wanted.includes(zones[anchor]!));
  expect(of('inside')).toBeGreaterThan(0.99);
  expect(of('rest', 'around')).toBeLessThan(0.7);
  expect(of('rest', 'around')).toBeGreaterThan(-0.2);
});

test('patches are compared by all their pixels, or by their means alone', () => {
  tidy(() => {
    // There are two patches on a side. 0 and 3 have the same pattern, 1 its double, 2 the mirrored pattern of equal
    // mean.
    const pattern = [10, 30, 20, 40];
    const patches = [pattern, pattern.map((v) => 2 * v), [40, 20, 30, 10], pattern];
    const pixels = Uint8Array.from({ length: 16 }, (_, at) => {
      const [x, y] = [at % 4, Math.floor(at / 4)];
      return patches[(y >> 1) * 2 + (x >> 1)]![(y % 2) * 2 + (x % 2)]!;
    });
    const image = tensor(pixels, [1, 1, 4, 4]);
    const cosines = pixelSimilarities(image, 2, 'patch-pixels').toArray() as Float32Array;
    expect(cosines[1]).toBeCloseTo(1, 6); // twice as bright is the same direction
    expect(cosines[3]).toBeCloseTo(1, 6);
    expect(cosines[2]).toBeCloseTo((10 * 40 + 30 * 20 + 20 * 30 + 40 * 10) / 3000, 6);
    const means = pixelSimilarities(image, 2, 'patch-mean').toArray() as Float32Array;
    expect(means[2]).toBeCloseTo(0, 6);
    expect(means[1]).toBeCloseTo(-25 / 255, 6);
  });
});

test('phantoms know their lesions by the pair, not by its place in the data', async () => {
  const name = 'phantom:breast,pairs=4,seed=3';
  const dataset = await openDataset({ path: name });
  const shortened = { ...dataset, samples: dataset.samples.slice(2) };
  const { lesion, missing } = await readMasks([0, 1], {
    dataset: shortened,
    path: name,
    folder: undefined,
    size: 48,
  });
  const phantom = await openPhantom(name);
  expect(missing).toBe(0);
  expect([...lesion.keys()]).toEqual([0, 1]);
  expect(lesion.get(1)!.data).toEqual(phantom.pair(3, 48).masks.lesion);
  expect(lesion.get(1)!.data).not.toEqual(phantom.pair(1, 48).masks.lesion);
  const fundus = await openPhantom('phantom:fundus,pairs=1,seed=1');
  const { masks } = fundus.pair(0, 48);
  const { vessels: _, disc: __, ...lesions } = masks;
  const any = Uint8Array.from(masks.disc!, (_, at) =>
    Number(Object.values(lesions).some((one) => one[at] === 1)),
  );
  expect(fundus.lesion(0, 48)).toEqual(any);
});

test('missing files in a folder of masks are counted, and a wrong folder is refused', async () => {
  const folder = temporaryFolder();
  const path = await writePairs(folder, { pairs: 4 });
  const dataset = await openDataset({ path });
  const read = (masks: string) => readMasks([0, 1, 2], { dataset, path, folder: masks, size: 40 });
  await expect(read(join(folder, 'nowhere'))).rejects.toThrow(/no such folder/);
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  await expect(read(empty)).rejects.toThrow(/none of the 3 pairs.*pair-0\.png/);
  const { default: sharp } = await import('sharp');
  const write = (id: string, value: number) =>
    sharp(new Uint8Array(100).fill(value, 0, 20), { raw: { width: 10, height: 10, channels: 1 } })
      .png()
      .toFile(join(empty, `${id}.png`));
  await write('pair-0', 255);
  await write('pair-2', 0);
  const { lesion, missing } = await read(empty);
  expect([...lesion.keys()]).toEqual([0]);
  expect(missing).toBe(1);
  writeFileSync(join(empty, 'pair-1.png'), 'no image');
  await expect(read(empty)).rejects.toThrow(/pair-1\.png/);
});

test('masks of whole images are refused with cropped images', async () => {
  const folder = temporaryFolder();
  const path = await writePairs(folder, { pairs: 2 });
  const crop = { kind: 'box', left: 0, top: 0, width: 20, height: 20 } as const;
  const dataset = await openDataset({ path, preprocess: { a: { crop }, b: { crop } } });
  await expect(readMasks([0, 1], { dataset, path, folder, size: 20 })).rejects.toThrow(
    /crop images and masks alike/,
  );
});

test('examples are of different patients, those with lesions first, and their anchors follow the rule', () => {
  const subjects = ['p', 'p', 'q', 'r', 's'];
  const lesion = maskOf(28, (x, y) => x >= 20 && y >= 20);
  const chosen = chooseExamples([0, 1, 2, 3, 4], subjects, new Map([[3, lesion]]), 0);
  expect(chosen).toHaveLength(3);
  expect(chosen[0]).toBe(3);
  expect(new Set(chosen.map((position) => subjects[position])).size).toBe(3);

  // The image is flat except for one bright pixel near the lesion and one far from it.
  const gray = new Float32Array(28 * 28);
  gray[24 * 28 + 22] = 200;
  gray[3 * 28 + 5] = 100;
  const [near, far] = chooseAnchors([gray], 28, lesion);
  const place = ({ x, y, rule }: typeof near) =>
    [x * 14, y * 14, rule].map((one) => (typeof one === 'number' ? Number(one.toFixed(9)) : one));
  expect(place(near)).toEqual([11.5, 12.5, 'lesion']);
  expect(place(far)).toEqual([2.5, 1.5, 'elsewhere']);
  const [centre, busiest] = chooseAnchors([gray], 28, undefined);
  expect(place(centre)).toEqual([7.5, 7.5, 'centre']);
  expect(place(busiest)).toEqual([11.5, 12.5, 'elsewhere']);
});

test('an anchor lies in the lesion where a patch does, and the other one away from the edge of the body', () => {
  // A body of 20² on a black ground has a bright edge, a lesion at its lower right and a bright pixel in its middle.
  const gray = Float32Array.from({ length: 28 * 28 }, (_, at) => {
    const [x, y] = [at % 28, Math.floor(at / 28)];
    if (x < 4 || y < 4 || x >= 24 || y >= 24) return 0;
    if (x === 4 || y === 4 || x === 23 || y === 23) return 250;
    return 80;
  });
  gray[10 * 28 + 10] = 120;
  const lesion = maskOf(28, (x, y) => x >= 16 && x < 20 && y >= 16 && y < 20);
  const [near, far] = chooseAnchors([gray], 28, lesion);
  expect([near.x * 28, near.y * 28].every((at) => at >= 16 && at < 20)).toBe(true);
  expect([far.x * 28, far.y * 28]).toEqual([11, 11]);
});

test.each([
  [
    'is cut off by the border',
    (x: number, y: number) => x >= 6 && x < 22 && y >= 6,
    (_: number, y: number) => y === 27,
  ],
  // Of the patches of 8² pixels at the right a quarter is body.
  [
    'ends within a patch',
    (x: number, y: number) => x >= 6 && x < 82 && y >= 6 && y < 90,
    (x: number) => x >= 79,
  ],
] as const)('an anchor keeps away from the edge of a body that %s', (_, isBody, isBright) => {
  const side = isBody(81, 20) ? 112 : 28;
  const gray = Float32Array.from({ length: side ** 2 }, (__, at) => {
    const [x, y] = [at % side, Math.floor(at / side)];
    if (!isBody(x, y)) return 0;
    return isBright(x, y) ? 250 : 80;
  });
  gray[Math.round(side * 0.4) * side + Math.round(side * 0.4)] = 120;
  const [, far] = chooseAnchors(
    [gray],
    side,
    maskOf(side, (x, y) => x === Math.round(side / 2) && y === x),
  );
  const inside = [far.x, far.y].map((at) => at * side);
  expect(inside.every((at) => Math.abs(at - 0.4 * side) < 0.08 * side)).toBe(true);
});

test('without a mask no anchor lies on the background, wherever the body is', () => {
  // A body at the right of a black image, whose centre is black.
  const gray = imageOf(112, (x, y) => (x >= 64 && y >= 8 && y < 104 ? 80 + ((x + y) % 7) : 0));
  for (const { x, y } of chooseAnchors([gray], 112, undefined)) {
    expect(x * 112).toBeGreaterThan(72);
    expect(x * 112).toBeLessThan(104);
    expect(y * 112).toBeGreaterThan(16);
    expect(y * 112).toBeLessThan(96);
  }
  const [first] = chooseAnchors([gray], 112, undefined);
  expect([first.x * 112, first.y * 112, first.rule]).toEqual([76, 60, 'centre']);
});

test('where A is all but black the body is that of the other modality, and nowhere else', () => {
  // A shows a label in its corner alone; B shows a body at the left, away from the centre.
  const label = imageOf(112, (x, y) => (x < 24 && y < 8 ? 250 : 0));
  const body = imageOf(112, (x, y) => (x >= 8 && x < 48 && y >= 24 && y < 104 ? 80 + ((x + y) % 7) : 0));
  for (const black of [label, new Float32Array(112 ** 2)]) {
    for (const { x, y } of chooseAnchors([black, body], 112, undefined)) {
      expect(x * 112).toBeGreaterThan(16);
      expect(x * 112).toBeLessThan(40);
      expect(y * 112).toBeGreaterThan(32);
    }
  }
  // What B shows beside A's body, such as a skull around a brain, moves no anchor.
  const bright = new Float32Array(112 ** 2).fill(200);
  expect(chooseAnchors([body, bright], 112, undefined)).toEqual(chooseAnchors([body], 112, undefined));
});

test('in a body so thin that no patch is well inside, the anchors lie in it all the same', () => {
  const gray = imageOf(112, (x, y) => (y >= 96 && y < 104 ? 80 + ((3 * x) % 11) : 0));
  for (const { y } of chooseAnchors([gray], 112, undefined)) expect(y * 112).toBe(100);
});

test('of a lesion that fills half of no patch, the anchor is the patch that holds most of it', () => {
  // The lesion has 9 pixels in one patch and 3 in its neighbour; the patch beside them varies most.
  const lesion = maskOf(112, (x, y) => x >= 45 && x < 49 && y >= 50 && y < 53);
  const gray = imageOf(112, (x, y) => (x >= 48 && x < 56 && y >= 56 && y < 64 && x % 2 === 0 ? 250 : 80));
  const [near] = chooseAnchors([gray], 112, lesion);
  expect([near.x * 112, near.y * 112, near.rule]).toEqual([44, 52, 'lesion']);
});

test('in a lesion that reaches the edge of the body the anchor keeps away from the edge, and a black one has one', () => {
  const lesion = maskOf(112, (x, y) => x >= 40 && x < 88 && y >= 48 && y < 80);
  const gray = (inside: number) =>
    imageOf(112, (x, y) => (x < 84 ? (lesion.data[y * 112 + x] ? inside + (x % 3) : 200) : 0));
  const [near] = chooseAnchors([gray(80)], 112, lesion);
  expect(near.x * 112).toBeLessThan(72);
  for (const dark of [80, 0]) {
    const [{ x, y, rule }] = chooseAnchors([gray(dark)], 112, lesion);
    expect(rule).toBe('lesion');
    expect(lesion.data[Math.floor(y * 112) * 112 + Math.floor(x * 112)]).toBe(255);
  }
});

test('a lesion that touches every patch leaves two different anchors', () => {
  const lesion = maskOf(28, () => true);
  const [near, far] = chooseAnchors([imageOf(28, (x, y) => 80 + ((x * y) % 5))], 28, lesion);
  expect([near.x, near.y]).not.toEqual([far.x, far.y]);
});
