import { describe, expect, test } from 'vitest';
import { gaussianBlur } from '../../../src/data/images/gaussianBlur.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { GeneratedSource, Raster, Sample } from '../../../src/data/sample.js';
import { UsageError } from '../../../src/errors.js';
import { drawAngiogram } from '../../../src/phantoms/fundus/fundusAngiogram.js';
import {
  apertureRadius,
  type FundusSign,
  fieldOfView,
  fundusConditions,
  fundusSignRates,
  sampleFundusCase,
} from '../../../src/phantoms/fundus/fundusCase.js';
import {
  type FundusPair,
  fundusPhantom,
  fundusPhantomVersion,
  generateFundusPair,
} from '../../../src/phantoms/fundus/fundusPhantom.js';
import { drawFundus } from '../../../src/phantoms/fundus/fundusTissue.js';
import { Random } from '../../../src/tensor/random.js';

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i]!;
  return sum / values.length;
}

function deviation(values: ArrayLike<number>): number {
  const centre = mean(values);
  return Math.sqrt(mean(Array.from(values, (v) => (v - centre) ** 2)));
}

function correlation(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  return mean(x.map((v, i) => (v - mx) * (y[i]! - my))) / (deviation(x) * deviation(y));
}

function render(sample: Sample, modality: 'a' | 'b', size: number): Raster {
  return (sample.images[modality] as GeneratedSource).render(size);
}

/** The green channel, in which vessels are darkest, or the only one. */
function green({ channels, data }: Raster): Float32Array {
  return Float32Array.from({ length: data.length / channels }, (_, at) =>
    channels === 1 ? data[at]! : data[3 * at + 1]!,
  );
}

/** Millimetres of a pixel's centre from a place. */
function distanceTo(place: { x: number; y: number }, at: number, size: number): number {
  const pixel = fieldOfView / size;
  return Math.hypot(((at % size) + 0.5) * pixel - place.x, (Math.floor(at / size) + 0.5) * pixel - place.y);
}

const draws = 2000;
const alike = { normal: 1, amd: 1, 'high-myopia': 1, 'pathologic-myopia': 1 };
const cases = Array.from({ length: draws }, (_, index) =>
  sampleFundusCase({ seed: 0, index, shares: alike }),
);

describe('the population', () => {
  test.each(Object.keys(fundusSignRates) as FundusSign[])('%s is as frequent as the table says', (sign) => {
    for (const [i, condition] of fundusConditions.entries()) {
      const group = cases.filter((c) => c.condition === condition);
      const expected = fundusSignRates[sign][i]!;
      const rate = group.filter((c) => c.signs[sign]).length / group.length;
      const standardError = Math.sqrt((expected * (1 - expected)) / group.length);
      expect(Math.abs(rate - expected), condition).toBeLessThanOrEqual(3.5 * standardError);
    }
  });

  test('disc and fovea are 4.76 ± .34 mm apart, the fovea a little below, on the side of the laterality', () => {
    const distances = cases.map(({ eye }) => Math.hypot(eye.fovea.x - eye.disc.x, eye.fovea.y - eye.disc.y));
    expect(Math.abs(mean(distances) - 4.76)).toBeLessThan((3.5 * 0.34) / Math.sqrt(draws));
    expect(Math.abs(deviation(distances) - 0.34)).toBeLessThan((3.5 * 0.34) / Math.sqrt(2 * draws));
    expect(Math.min(...distances)).toBeGreaterThan(3.75);
    expect(Math.max(...distances)).toBeLessThan(6.54);
    expect(Math.abs(mean(cases.map(({ eye }) => eye.fovea.y - eye.disc.y)) - 0.35)).toBeLessThan(0.02);
    for (const { eye } of cases) expect(eye.disc.x > eye.fovea.x).toBe(eye.side === 'right');
  });

  test('signs of one eye go together', () => {
    const myopic = cases.filter((c) => c.condition === 'pathologic-myopia');
    const of = (sign: FundusSign) => myopic.map((c) => Number(c.signs[sign]));
    expect(correlation(of('diffuseAtrophy'), of('patchyAtrophy'))).toBeGreaterThan(0.05);
    expect(correlation(of('patchyAtrophy'), of('lacquerCracks'))).toBeGreaterThan(0.05);
  });

  test('what camera, phase and the healthy eye add says nothing of the condition', () => {
    const nuisances = {
      side: cases.map((c) => Number(c.eye.side === 'left')),
      foveaX: cases.map((c) => c.eye.fovea.x),
      foveaY: cases.map((c) => c.eye.fovea.y),
      pigment: cases.map((c) => c.eye.pigment),
      redness: cases.map((c) => c.eye.redness),
      cup: cases.map((c) => c.eye.disc.cup),
      red: cases.map((c) => c.camera.gain[0]),
      blue: cases.map((c) => c.camera.gain[2]),
      falloff: cases.map((c) => c.camera.falloff),
      blur: cases.map((c) => c.camera.blur),
      veil: cases.map((c) => c.camera.veil),
      flare: cases.map((c) => c.camera.flare.strength),
      phase: cases.map((c) => c.angiography.phase),
      gain: cases.map((c) => c.angiography.gain),
    };
    for (const condition of fundusConditions) {
      const label = cases.map((c) => Number(c.condition === condition));
      for (const [name, values] of Object.entries(nuisances)) {
        expect(Math.abs(correlation(values, label)), `${name} and ${condition}`).toBeLessThan(
          3.9 / Math.sqrt(draws),
        );
      }
    }
  });

  test('difficulty brings the conditions together', () => {
    const gap = (difficulty: number) => {
      const drawn = Array.from({ length: 800 }, (_, index) =>
        sampleFundusCase({ seed: 1, index, difficulty, shares: alike }),
      );
      const of = (condition: string) => drawn.filter((c) => c.condition === condition);
      const rate = (condition: string, sign: FundusSign) =>
        mean(of(condition).map((c) => Number(c.signs[sign])));
      const tessellation = (condition: string) => mean(of(condition).map((c) => c.eye.tessellation));
      return [
        rate('pathologic-myopia', 'diffuseAtrophy') - rate('normal', 'diffuseAtrophy'),
        rate('amd', 'softDrusen') - rate('normal', 'softDrusen'),
        tessellation('pathologic-myopia') - tessellation('normal'),
      ] as const;
    };
    const [easy, asInTable, hard] = [gap(0.5), gap(1), gap(3)];
    for (const k of [0, 1, 2] as const) {
      expect(easy[k]).toBeGreaterThan(asInTable[k]);
      expect(asInTable[k]).toBeGreaterThan(hard[k]);
      expect(hard[k]).toBeGreaterThan(0);
    }
  });
});

describe('a pair', () => {
  test('is the same on every run, for any number of pairs, in any order of rendering', () => {
    const few = fundusPhantom({ pairs: 3, seed: 5 }).samples;
    const many = fundusPhantom({ pairs: 40, seed: 5 }).samples;
    render(many[30]!, 'b', 48);
    const b = render(many[2]!, 'b', 48);
    const a = render(many[2]!, 'a', 48);
    expect(render(few[2]!, 'a', 48)).toEqual(a);
    expect(render(few[2]!, 'b', 48)).toEqual(b);
    const pair = generateFundusPair({ seed: 5, index: 2, size: 48 });
    expect(pair.a).toEqual(a);
    expect(pair.b).toEqual(b);
    expect([few[2]!.label, few[2]!.extra]).toEqual([pair.label, { condition: pair.params.condition }]);
    expect(many[2]!.label).toBe(pair.label);
    expect(generateFundusPair({ seed: 6, index: 2, size: 48 }).a).not.toEqual(a);
    expect(generateFundusPair({ seed: 5, index: 3, size: 48 }).a).not.toEqual(a);
  });

  test('is a colour and a gray image of the size asked for, black outside the aperture', () => {
    const size = 50;
    const { a, b } = generateFundusPair({ seed: 0, index: 0, size });
    expect([a.width, a.height, a.channels, a.data.length]).toEqual([50, 50, 3, 7500]);
    expect([b.width, b.height, b.channels, b.data.length]).toEqual([50, 50, 1, 2500]);
    const middle = { x: fieldOfView / 2, y: fieldOfView / 2 };
    for (let at = 0; at < size * size; at += 1) {
      if (distanceTo(middle, at, size) < apertureRadius + fieldOfView / size) continue;
      expect([b.data[at], ...a.data.slice(3 * at, 3 * at + 3)]).toEqual([0, 0, 0, 0]);
    }
  });

  test('keeps its anatomy at any size', () => {
    for (let index = 0; index < 4; index += 1) {
      const small = generateFundusPair({ seed: 2, index, size: 64 });
      const large = generateFundusPair({ seed: 2, index, size: 128 });
      expect(large.params).toEqual(small.params);
      for (const mask of ['disc', 'vessels', 'atrophy', 'crescent'] as const) {
        const share = ({ masks }: FundusPair) => mean(masks[mask].map((value) => Math.min(1, value)));
        expect(Math.abs(share(small) - share(large)), mask).toBeLessThan(0.005 + 0.35 * share(large));
      }
      const shrunken = gaussianBlur(green(large.a), 128, 128, 2, 2);
      const other = gaussianBlur(green(small.a), 64, 64, 1, 1);
      const at = Array.from({ length: 64 * 64 }, (_, k) => k);
      const large64 = at.map((k) => shrunken[2 * Math.floor(k / 64) * 128 + 2 * (k % 64)]!);
      expect(correlation(large64, Array.from(other))).toBeGreaterThan(0.97);
    }
  });

  const size = 128;
  const pairs = Array.from({ length: 24 }, (_, index) =>
    generateFundusPair({ seed: 4, index, size, task: index % 2 === 0 ? 'pm' : 'amd' }),
  );

  test('has vessels dark in the photograph and bright in the angiogram', () => {
    for (const { a, b, masks } of pairs) {
      for (const [image, sign] of [
        [green(a), -1],
        [green(b), 1],
      ] as const) {
        const around = gaussianBlur(image, size, size, 4, 4);
        const contrast = [...masks.vessels.keys()]
          .filter((at) => masks.vessels[at]! > 0 && masks.disc[at] === 0 && masks.crescent[at] === 0)
          .map((at) => image[at]! - around[at]!);
        expect(contrast.length).toBeGreaterThan(200);
        expect(sign * mean(contrast)).toBeGreaterThan(3);
      }
    }
  });

  test('has a dark fovea in both images, and a disc that is bright in the photograph', () => {
    const darker = { a: 0, b: 0 };
    let bright = 0;
    for (const { a, b, masks, params } of pairs) {
      const plain = (least: number, most: number) =>
        [...masks.disc.keys()].filter((at) => {
          const r = distanceTo(params.eye.fovea, at, size);
          const lesions = masks.drusen[at]! + masks.atrophy[at]! + masks.membrane[at]! + masks.cracks[at]!;
          return r >= least && r < most && masks.vessels[at] === 0 && lesions === 0;
        });
      const [centre, ring] = [plain(0, 0.5), plain(1.4, 2)];
      const level = (image: Float32Array, pixels: number[]) => mean(pixels.map((at) => image[at]!));
      const [photograph, angiogram] = [green(a), green(b)];
      if (level(photograph, centre) < 0.95 * level(photograph, ring)) darker.a += 1;
      if (level(angiogram, centre) < 0.8 * level(angiogram, ring)) darker.b += 1;
      const inside = [...masks.disc.keys()].filter((at) => masks.disc[at]! > 0 && photograph[at]! > 0);
      if (level(photograph, inside) > 1.2 * level(photograph, ring)) bright += 1;
    }
    // Leakage, pallor and a bright side of the illumination may hide one.
    expect(darker.a).toBeGreaterThan(0.75 * pairs.length);
    expect(darker.b).toBeGreaterThan(0.75 * pairs.length);
    expect(bright).toBeGreaterThan(0.8 * pairs.length);
  });

  test('leaks more and further the later the angiogram', () => {
    const drawn = (sign: FundusSign) => {
      const index = cases.findIndex(({ signs }) => signs[sign] && !signs.haemorrhage);
      const fundus = cases[index]!;
      return { fundus, tissue: drawFundus(fundus, 0, index, size) };
    };
    const at = (phase: number, { fundus, tissue }: ReturnType<typeof drawn>) => {
      const angiography = { ...fundus.angiography, phase, gain: 1 };
      return drawAngiogram(new Random('phase', phase), { ...fundus, angiography }, tissue, 1);
    };
    const leak = drawn('neovascularisation');
    const membrane = {
      ...leak,
      tissue: { ...leak.tissue, lesions: { ...leak.tissue.lesions, occult: false } },
    };
    const none = { ...leak, tissue: { ...leak.tissue, membrane: new Float32Array(size * size) } };
    const [early, late] = [0.05, 0.95].map((phase) => {
      const [leaking, sound] = [at(phase, membrane), at(phase, none)];
      const added = Array.from(leaking, (value, k) => value - sound[k]!);
      return { most: Math.max(...added), area: added.filter((value) => value > 20).length };
    });
    expect(late!.most).toBeGreaterThan(1.1 * early!.most);
    expect(late!.area).toBeGreaterThan(1.15 * early!.area);
  });

  test('is aligned: the information the images share is largest without a shift', () => {
    const levels = 12;
    const reach = 3;
    const information = (dx: number, dy: number) =>
      mean(
        pairs.slice(0, 12).map(({ a, b }) => {
          const photograph = green(a);
          const joint = new Float64Array(levels * levels);
          const level = (value: number) => Math.min(levels - 1, Math.floor((value * levels) / 200));
          for (let i = reach; i < size - reach; i += 1) {
            for (let j = reach; j < size - reach; j += 1) {
              const middle = Math.hypot(i - size / 2, j - size / 2);
              if (middle > 0.45 * size) continue;
              const to = (i + dy) * size + j + dx;
              joint[level(photograph[i * size + j]!) * levels + level(b.data[to]!)]! += 1;
            }
          }
          return mutualInformation(joint, levels);
        }),
      );
    const here = information(0, 0);
    for (const shift of [1, reach]) {
      for (const [dx, dy] of [
        [shift, 0],
        [-shift, 0],
        [0, shift],
        [0, -shift],
      ] as const) {
        expect(information(dx, dy), `${dx}, ${dy}`).toBeLessThan(here);
      }
    }
  });

  test('misalignment moves the angiogram alone', () => {
    const straight = generateFundusPair({ seed: 3, index: 1, size: 64 });
    const bent = generateFundusPair({ seed: 3, index: 1, size: 64, misalignment: 4 });
    expect(bent.a).toEqual(straight.a);
    expect(bent.masks).toEqual(straight.masks);
    expect(bent.b).not.toEqual(straight.b);
    expect(correlation(Array.from(bent.b.data), Array.from(straight.b.data))).toBeGreaterThan(0.5);
  });
});

function mutualInformation(joint: Float64Array, levels: number): number {
  const rows = new Float64Array(levels);
  const columns = new Float64Array(levels);
  for (const [at, count] of joint.entries()) {
    rows[Math.floor(at / levels)]! += count;
    columns[at % levels]! += count;
  }
  const total = rows.reduce((sum, count) => sum + count, 0);
  let sum = 0;
  for (const [at, count] of joint.entries()) {
    if (count === 0) continue;
    sum +=
      (count / total) * Math.log((count * total) / (rows[Math.floor(at / levels)]! * columns[at % levels]!));
  }
  return sum;
}

describe('the dataset', () => {
  test('asks one of two questions; the condition itself stands beside', () => {
    for (const [task, condition, positive] of [
      ['pm', 'pathologic-myopia', 'PM'],
      ['amd', 'amd', 'AMD'],
    ] as const) {
      const dataset = fundusPhantom({ pairs: 300, seed: 1, task });
      expect(dataset.positive).toBe(positive);
      for (const { label, extra } of dataset.samples) {
        expect(label).toBe(extra!.condition === condition ? positive : `non-${positive}`);
      }
      expect(new Set(dataset.samples.map((s) => s.id)).size).toBe(300);
      expect(new Set(dataset.samples.map((s) => s.subject)).size).toBe(300);
      const conditions = new Set(dataset.samples.map(({ extra }) => extra!.condition));
      expect(conditions.size).toBe(task === 'pm' ? 3 : 4);
    }
  });

  test('takes the conditions that classes names, and opens by its name', async () => {
    const dataset = await openDataset({
      path: 'phantom:fundus,pairs=200,seed=2,task=amd,classes=normal+amd,difficulty=2,misalignment=1',
    });
    expect(new Set(dataset.samples.map(({ extra }) => extra!.condition))).toEqual(new Set(['normal', 'amd']));
    expect(dataset.simulated).toEqual(['a', 'b']);
    await expect(openDataset({ path: 'phantom:fundus,task=dr' })).rejects.toThrow(
      'task is "dr", expected pm or amd',
    );
  });

  test('gives each image a key with everything its pixels depend on', () => {
    const keys = [
      { seed: 1 },
      { seed: 2 },
      { seed: 1, difficulty: 2 },
      { seed: 1, task: 'amd' as const },
      { seed: 1, classes: ['normal', 'pathologic-myopia'] },
      { seed: 1, misalignment: 2 },
    ].map((options) => {
      const { images } = fundusPhantom({ pairs: 2, ...options }).samples[1]!;
      return [(images.a as GeneratedSource).key, (images.b as GeneratedSource).key] as const;
    });
    expect(keys[0]![0]).toContain(`fundus-${fundusPhantomVersion}/seed=1/`);
    expect(new Set(keys.map(([, b]) => b)).size).toBe(6);
    expect(keys[5]![0]).toBe(keys[0]![0]); // misalignment leaves the photograph alone
  });

  test.each([
    [{ pairs: 0, seed: 0 }, /pairs is 0, expected a whole number from 1/],
    [{ pairs: 2, seed: -1 }, /seed is -1, expected a whole number from 0/],
    [{ pairs: 2, seed: 0, difficulty: 0 }, /difficulty is 0, expected a number from 0\.25 to 4/],
    [{ pairs: 2, seed: 0, misalignment: Number.NaN }, /misalignment is NaN/],
    [{ pairs: 2, seed: 0, task: 'dr' as 'pm' }, /task is "dr", expected pm or amd/],
    [
      { pairs: 2, seed: 0, classes: ['normal', 'glaucoma'] },
      /classes has "glaucoma", expected some of normal\+amd/,
    ],
    [
      { pairs: 2, seed: 0, classes: ['normal', 'amd'] },
      /expected pathologic-myopia, which task=pm looks for/,
    ],
    [{ pairs: 2, seed: 0, classes: ['pathologic-myopia'] }, /and at least one other/],
  ])('refuses %j', (options, message) => {
    expect(() => fundusPhantom(options)).toThrow(UsageError);
    expect(() => fundusPhantom(options)).toThrow(message);
  });

  test('refuses a size it cannot draw', () => {
    expect(() => generateFundusPair({ seed: 0, index: 0, size: 8 })).toThrow(
      /size is 8, expected a whole number from 16/,
    );
    expect(() => generateFundusPair({ seed: 0, index: -1, size: 32 })).toThrow(/index is -1/);
  });
});
