import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gaussianBlur, gaussianKernel } from '../../../src/data/images/gaussianBlur.js';
import { resize } from '../../../src/data/images/resize.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { GeneratedSource, Raster, Sample } from '../../../src/data/sample.js';
import { UsageError } from '../../../src/errors.js';
import { ridgeBaseline } from '../../../src/evaluation/probes/ridge.js';
import { rocAuc } from '../../../src/metrics/areas/rocAuc.js';
import { type Features, featureRows, joinColumns, takeRows } from '../../../src/metrics/features/features.js';
import { caseLabel, sampleCase } from '../../../src/phantoms/breast/breastCase.js';
import {
  type Appearance,
  breastPhantom,
  generatePair,
  phantomVersion,
} from '../../../src/phantoms/breast/breastPhantom.js';
import type { Sign } from '../../../src/phantoms/breast/breastSigns.js';
import { layerNames } from '../../../src/phantoms/breast/breastTissue.js';
import { speckleEnvelope } from '../../../src/phantoms/breast/speckle.js';
import { drawCurve, drawField, noiseCurve, noiseField } from '../../../src/phantoms/noise.js';
import { Random } from '../../../src/tensor/random.js';

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i]!;
  return sum / values.length;
}

function variance(values: ArrayLike<number>): number {
  const centre = mean(values);
  return mean(Array.from(values, (v) => (v - centre) ** 2));
}

function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const [mx, my] = [mean(x), mean(y)];
  return mean(Array.from(x, (v, i) => (v - mx) * (y[i]! - my))) / Math.sqrt(variance(x) * variance(y));
}

/** In nats, from counts; rows and columns are the two variables. */
function mutualInformation(joint: Float64Array, levels: number): number {
  const rows = new Float64Array(levels);
  const columns = new Float64Array(levels);
  let total = 0;
  for (const [at, count] of joint.entries()) {
    rows[Math.floor(at / levels)]! += count;
    columns[at % levels]! += count;
    total += count;
  }
  let sum = 0;
  for (const [at, count] of joint.entries()) {
    if (count === 0) continue;
    const expected = rows[Math.floor(at / levels)]! * columns[at % levels]!;
    sum += (count / total) * Math.log((count * total) / expected);
  }
  return sum;
}

function render(sample: Sample, modality: 'a' | 'b', size: number): Raster {
  return (sample.images[modality] as GeneratedSource).render(size);
}

const draws = 2000;
const cases = Array.from({ length: draws }, (_, index) => sampleCase({ seed: 0, index }));
const malignant = cases.filter((c) => c.label === 'malignant');
const benign = cases.filter((c) => c.label === 'benign');

describe('the population', () => {
  test('about 42 % are malignant, and the label alone agrees with the case', () => {
    expect(Math.abs(malignant.length / draws - 0.42)).toBeLessThan(3.5 * Math.sqrt((0.42 * 0.58) / draws));
    for (let index = 0; index < 50; index += 1) expect(caseLabel(0, index)).toBe(cases[index]!.label);
  });

  // Percent of malignant and benign masses; the first four from the counts of Hong et al., AJR 2005.
  test.each<[Sign, number, number]>([
    ['circumscribed', 12.8, 61.1],
    ['spiculated', 13.5, 1.1],
    ['irregular', 72.3, 23.7],
    ['nonParallel', 53.2, 13.0],
    ['halo', 35, 5],
    ['shadowing', 35, 10],
    ['enhancement', 15, 30],
    ['markedlyHypoechoic', 60, 20],
    ['isoechoic', 3, 15],
    ['microcalcifications', 30, 5],
    ['cyst', 0, 10],
    ['stiffRim', 70, 15],
  ])('%s in %d %% of malignant and %d %% of benign masses', (sign, ...percent) => {
    for (const [group, expected] of [
      [malignant, percent[0] / 100],
      [benign, percent[1] / 100],
    ] as const) {
      const rate = group.filter((c) => c.signs[sign]).length / group.length;
      const standardError = Math.sqrt((expected * (1 - expected)) / group.length);
      expect(Math.abs(rate - expected)).toBeLessThanOrEqual(3.5 * standardError);
    }
  });

  test('stiffness follows PMC9432095: 43.4 and 108 kPa on average', () => {
    for (const [group, expected, spread] of [
      [malignant, 108, 70],
      [benign, 43.4, 38.3],
    ] as const) {
      const kpa = group.map((c) => c.stiffness.lesion);
      expect(Math.abs(mean(kpa) - expected)).toBeLessThan((3.5 * spread) / Math.sqrt(kpa.length));
      expect(Math.sqrt(variance(kpa))).toBeGreaterThan(0.7 * spread);
      expect(Math.sqrt(variance(kpa))).toBeLessThan(1.2 * spread);
    }
  });

  test('what the scanner and the patient add says nothing of the label', () => {
    const label = cases.map((c) => (c.label === 'malignant' ? 1 : 0));
    const nuisances = {
      fieldOfView: cases.map((c) => c.view.fieldOfView),
      gain: cases.map((c) => c.view.gainDb),
      dynamicRange: cases.map((c) => c.view.dynamicRangeDb),
      gamma: cases.map((c) => c.view.gamma),
      timeGain: cases.map((c) => c.view.tgcDbPerMm),
      focus: cases.map((c) => c.view.focus),
      looks: cases.map((c) => c.view.looks),
      laterality: cases.map((c) => (c.layers.laterality === 'left' ? 1 : 0)),
      wedge: cases.map((c) => c.layers.wedge),
      gland: cases.map((c) => c.layers.thickness[layerNames.indexOf('gland')]!),
      ducts: cases.map((c) => c.layers.ducts.length),
      colourScale: cases.map((c) => c.elastogram.scaleKpa),
      opacity: cases.map((c) => c.elastogram.opacity),
      stripes: cases.map((c) => Math.min(1, c.elastogram.stripes.length)),
      tilt: cases.map((c) => c.layers.tilt),
      islands: cases.map((c) => c.layers.fatIslands),
      ribs: cases.map((c) => c.layers.ribs.length),
      patientScale: cases.map((c) => c.stiffness.patientScale),
      boxTop: cases.map((c) => c.elastogram.box.top),
      boxOffCentre: cases.map((c) => (c.elastogram.box.left + c.elastogram.box.right) / 2 - c.lesion.x),
      precompression: cases.map((c) => c.elastogram.precompression),
      side: cases.map((c) => c.lesion.x - c.view.fieldOfView / 2),
    };
    for (const [name, values] of Object.entries(nuisances)) {
      expect(variance(values), name).toBeGreaterThan(0);
      expect(Math.abs(correlation(values, label)), name).toBeLessThan(3.5 / Math.sqrt(draws));
    }
  });

  test('settings span their published ranges', () => {
    const within = (values: number[], low: number, high: number) => {
      expect(Math.min(...values)).toBeGreaterThanOrEqual(low);
      expect(Math.max(...values)).toBeLessThanOrEqual(high);
      expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(0.95 * (high - low));
    };
    within(
      cases.map((c) => c.view.fieldOfView),
      30,
      50,
    );
    within(
      cases.map((c) => c.elastogram.scaleKpa),
      100,
      300,
    );
    within(
      cases.map((c) => c.stiffness.patientScale),
      0.8,
      2.5,
    );
    const share = (of: (c: (typeof cases)[number]) => boolean) => cases.filter(of).length / draws;
    for (const [found, expected] of [
      [share((c) => c.view.looks === 3), 0.5],
      [share((c) => c.layers.laterality === 'left'), 0.5],
      [share((c) => c.layers.ribs.length > 0), 0.2],
      [share((c) => c.elastogram.precompression > 1), 0.25],
      [share((c) => c.elastogram.stripes.length > 0), 0.15],
    ] as const) {
      expect(Math.abs(found - expected)).toBeLessThan(3.5 * Math.sqrt((expected * (1 - expected)) / draws));
    }
  });

  test('malignant lesions look larger on the elastogram, benign ones do not', () => {
    // JMU 2020: the stiff region exceeds the outline by 1.5 mm in malignant lesions, by −0.2 mm in benign ones.
    for (const [group, expected] of [
      [malignant, 1.5],
      [benign, -0.2],
    ] as const) {
      const growth = group.map((c) => c.stiffness.growth);
      const standardError = Math.sqrt(variance(growth) / growth.length);
      expect(Math.abs(mean(growth) - expected)).toBeLessThan(3.5 * standardError);
    }
    const silent = benign.filter((c) => c.signs.cyst).map((c) => (c.stiffness.silentCyst ? 1 : 0));
    expect(Math.abs(mean(silent) - 0.7)).toBeLessThan(3.5 * Math.sqrt((0.7 * 0.3) / silent.length));
  });

  test('a stiff rim exceeds a softer core; heterogeneity follows the class', () => {
    const rimmed = cases.filter((c) => c.signs.stiffRim).map((c) => c.stiffness);
    const logRims = rimmed.map(({ rim }) => Math.log(rim));
    expect(Math.abs(mean(logRims) - Math.log(1.45))).toBeLessThan((3.5 * 0.25) / Math.sqrt(rimmed.length));
    expect(Math.abs(Math.sqrt(variance(logRims)) - 0.25)).toBeLessThan(0.03);
    for (const { core } of rimmed) expect(core).toBeGreaterThanOrEqual(0.5);
    for (const { core } of rimmed) expect(core).toBeLessThan(1);
    const heterogeneity = (group: typeof cases) => mean(group.map((c) => c.stiffness.heterogeneity));
    expect(Math.abs(heterogeneity(malignant) - 0.35)).toBeLessThan(0.05);
    expect(Math.abs(heterogeneity(benign) - 0.12)).toBeLessThan(0.03);
  });

  test('difficulty brings the classes together', () => {
    const gap = (difficulty: number) => {
      const drawn = Array.from({ length: 600 }, (_, index) => sampleCase({ seed: 1, index, difficulty }));
      const of = (label: string) => drawn.filter((c) => c.label === label);
      return [
        mean(of('malignant').map((c) => c.severity)) - mean(of('benign').map((c) => c.severity)),
        mean(of('malignant').map((c) => Math.log(c.stiffness.lesion))) -
          mean(of('benign').map((c) => Math.log(c.stiffness.lesion))),
      ] as const;
    };
    const [easy, asPublished, hard] = [gap(0.5), gap(1), gap(2)];
    for (const k of [0, 1] as const) {
      expect(easy[k]).toBeGreaterThan(asPublished[k]);
      expect(asPublished[k]).toBeGreaterThan(hard[k]);
      expect(hard[k]).toBeGreaterThan(0);
    }
  });
});

describe('speckle', () => {
  /** The envelope of a homogeneous image, without the rows near the edges that see fewer scatterers. */
  const homogeneous = ({ sparse = false, looks = 1 }) => {
    const size = 128;
    const envelope = speckleEnvelope(new Random('speckle test'), {
      strength: new Float32Array(size * size).fill(1),
      size,
      pixel: 40 / 224,
      focus: 20,
      looks,
      sparse: new Uint8Array(size * size).fill(sparse ? 1 : 0),
    });
    return envelope.subarray(8 * size, envelope.length - 8 * size);
  };
  const snr = (envelope: Float32Array) => mean(envelope) / Math.sqrt(variance(envelope));

  test('has the strength asked for', () => {
    for (const sparse of [false, true]) {
      expect(Math.abs(mean(homogeneous({ sparse }).map((e) => e * e)) - 1)).toBeLessThan(0.03);
    }
  });

  test('is fully developed in homogeneous tissue: mean / std = 1.91', () => {
    expect(Math.abs(snr(homogeneous({})) - 1.91)).toBeLessThan(0.1);
  });

  test('is coarser where scatterers are few', () => {
    expect(Math.abs(snr(homogeneous({ sparse: true })) - 1.5)).toBeLessThan(0.12);
  });

  test('is √3 times finer when three looks are compounded, and as bright', () => {
    const [one, three] = [homogeneous({}), homogeneous({ looks: 3 })];
    expect(Math.abs(snr(three) / snr(one) - Math.sqrt(3))).toBeLessThan(0.1);
    expect(Math.abs(mean(three) / mean(one) - 1)).toBeLessThan(0.02);
  });
});

describe('a pair', () => {
  test('is the same on every run, for any number of pairs, in any order of rendering', () => {
    const few = breastPhantom({ pairs: 3, seed: 5 }).samples;
    const many = breastPhantom({ pairs: 40, seed: 5 }).samples;
    render(many[30]!, 'b', 48);
    const b = render(many[2]!, 'b', 48);
    const a = render(many[2]!, 'a', 48);
    expect(render(few[2]!, 'a', 48)).toEqual(a);
    expect(render(few[2]!, 'b', 48)).toEqual(b);
    expect(few[2]!.label).toBe(many[2]!.label);
    const pair = generatePair({ seed: 5, index: 2, size: 48 });
    expect(pair.a).toEqual(a);
    expect(pair.b).toEqual(b);
    expect(pair.label).toBe(few[2]!.label);
    expect(generatePair({ seed: 6, index: 2, size: 48 }).a).not.toEqual(a);
    expect(generatePair({ seed: 5, index: 3, size: 48 }).a).not.toEqual(a);
  });

  test('has one gray and one colour image of the size asked for', () => {
    const { a, b, masks } = generatePair({ seed: 0, index: 0, size: 50 });
    expect([a.width, a.height, a.channels, a.data.length]).toEqual([50, 50, 1, 2500]);
    expect([b.width, b.height, b.channels, b.data.length]).toEqual([50, 50, 3, 7500]);
    expect(masks.lesion.length).toBe(2500);
    expect(new Set(masks.layers).size).toBeGreaterThan(3);
  });

  test('keeps its anatomy at any size', () => {
    for (let index = 0; index < 6; index += 1) {
      const small = generatePair({ seed: 2, index, size: 64 });
      const large = generatePair({ seed: 2, index, size: 128 });
      expect(large.params).toEqual(small.params);
      let both = 0;
      let either = 0;
      for (let i = 0; i < 64; i += 1) {
        for (let j = 0; j < 64; j += 1) {
          let covered = 0;
          for (const [di, dj] of [
            [0, 0],
            [0, 1],
            [1, 0],
            [1, 1],
          ] as const) {
            covered += large.masks.lesion[(2 * i + di) * 128 + 2 * j + dj]! / 4;
          }
          const inSmall = small.masks.lesion[i * 64 + j] === 1;
          if (inSmall && covered >= 0.5) both += 1;
          if (inSmall || covered >= 0.5) either += 1;
        }
      }
      expect(both / either).toBeGreaterThan(0.9);
    }
  });

  test('shows no elastogram outside the colour box, and none within a silent cyst', () => {
    const index = Array.from({ length: 200 }, (_, i) => i).find((i) => cases[i]!.stiffness.silentCyst)!;
    const size = 96;
    const { b, masks, params } = generatePair({ seed: 0, index, size, overlay: false });
    const pixel = params.view.fieldOfView / size;
    const { box } = params.elastogram;
    let voided = 0;
    for (let at = 0; at < size * size; at += 1) {
      const x = ((at % size) + 0.5) * pixel;
      const y = (Math.floor(at / size) + 0.5) * pixel;
      const black = b.data[3 * at] === 0 && b.data[3 * at + 1] === 0 && b.data[3 * at + 2] === 0;
      if (x < box.left || x > box.right || y < box.top || y > box.bottom) expect(black).toBe(true);
      else if (masks.lesion[at] === 1 && black) voided += 1;
    }
    expect(voided / masks.lesion.reduce((sum, m) => sum + m, 0)).toBeGreaterThan(0.5);
  });

  test('has speckle of its own under the colours', () => {
    const size = 128;
    const { a, b, masks, params } = generatePair({ seed: 0, index: 3, size });
    const { left, right } = params.elastogram.box;
    const pixel = params.view.fieldOfView / size;
    const fine = (gray: Float32Array) => {
      const smooth = gaussianBlur(gray, size, size, 1, 1);
      return gray
        .map((value, at) => value - smooth[at]!)
        .filter((_, at) => {
          const x = ((at % size) + 0.5) * pixel;
          return masks.layers[at] === layerNames.indexOf('gland') && (x < left - 1 || x > right + 1);
        });
    };
    const speckle = fine(Float32Array.from(a.data));
    const underlay = fine(Float32Array.from({ length: size * size }, (_, at) => b.data[3 * at]!));
    expect(speckle.length).toBeGreaterThan(500);
    expect(variance(speckle)).toBeGreaterThan(10);
    expect(Math.abs(correlation(speckle, underlay))).toBeLessThan(0.2);
  });

  test('is aligned: the information the images share is largest without a shift', () => {
    const size = 64;
    const levels = 16;
    const reach = 3;
    // Shadows and enhancement lie below the lesion, in the B-mode image alone, and would draw the optimum down.
    const plain = Array.from({ length: 160 }, (_, index) => index).filter((index) => {
      const { signs } = sampleCase({ seed: 9, index });
      return !signs.shadowing && !signs.enhancement;
    });
    const pairs = plain.map((index) => {
      const { a, b, masks } = generatePair({ seed: 9, index, size, overlay: false });
      const gray = gaussianBlur(Float32Array.from(a.data), size, size, 1, 1);
      // Green + red − blue rises with stiffness nearly everywhere in jet; black is no measurement.
      const stiff = Int32Array.from({ length: size * size }, (_, at) => {
        const [red, green, blue] = [b.data[3 * at]!, b.data[3 * at + 1]!, b.data[3 * at + 2]!];
        return red + green + blue === 0 ? -1 : Math.floor(((red + green - blue + 255) * levels) / 766);
      });
      // Always the same pixels of the image that stays: those measured at every shift.
      const inner: number[] = [];
      for (let i = reach; i < size - reach; i += 1) {
        for (let j = reach; j < size - reach; j += 1) {
          const at = i * size + j;
          const around = [at, at - reach, at + reach, at - reach * size, at + reach * size];
          if (around.every((near) => stiff[near]! >= 0)) inner.push(at);
        }
      }
      return {
        gray: gray.map((value) => Math.min(levels - 1, Math.floor((value * levels) / 160))),
        lesion: masks.lesion,
        stiff,
        inner,
      };
    });
    type Channel = 'gray' | 'lesion' | 'stiff';
    const information = (still: Channel, moved: Channel, dx: number, dy: number) =>
      mean(
        pairs.map((pair) => {
          const joint = new Float64Array(levels * levels);
          for (const at of pair.inner) {
            const to = at + dy * size + dx;
            if (pair.stiff[to]! >= 0) joint[pair[still][at]! * levels + pair[moved][to]!]! += 1;
          }
          return mutualInformation(joint, levels);
        }),
      );
    const shifts = [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
      [reach, 0],
      [-reach, 0],
      [0, reach],
      [0, -reach],
    ] as const;
    for (const [still, moved] of [
      ['gray', 'stiff'],
      ['lesion', 'stiff'],
      ['lesion', 'gray'],
    ] as const) {
      const here = information(still, moved, 0, 0);
      for (const [dx, dy] of shifts) {
        expect(information(still, moved, dx, dy), `${still}–${moved} by ${dx}, ${dy}`).toBeLessThan(here);
      }
    }
  });

  /** Shift (dx, dy) of `b`, at most 3 pixels each way, for which its gray levels tell most about those of `a`. */
  function bestShift(a: Raster, b: Raster): [number, number] {
    const size = a.width;
    const levels = 16;
    const reach = 3;
    const gray = ({ data, channels }: Raster) =>
      Float64Array.from({ length: size * size }, (_, at) =>
        channels === 1
          ? data[at]!
          : 0.299 * data[3 * at]! + 0.587 * data[3 * at + 1]! + 0.114 * data[3 * at + 2]!,
      );
    const quantiles = (values: Float64Array) => {
      const sorted = values.slice().sort();
      const cuts = Array.from(
        { length: levels - 1 },
        (_, k) => sorted[Math.floor(((k + 1) * values.length) / levels)]!,
      );
      return Uint8Array.from(values, (value) => cuts.filter((cut) => value > cut).length);
    };
    const [still, moved] = [quantiles(gray(a)), quantiles(gray(b))];
    let best = Number.NEGATIVE_INFINITY;
    let shift: [number, number] = [0, 0];
    for (let dy = -reach; dy <= reach; dy += 1) {
      for (let dx = -reach; dx <= reach; dx += 1) {
        const joint = new Float64Array(levels * levels);
        for (let i = reach; i < size - reach; i += 1) {
          for (let j = reach; j < size - reach; j += 1) {
            joint[still[i * size + j]! * levels + moved[(i + dy) * size + j + dx]!]! += 1;
          }
        }
        const information = mutualInformation(joint, levels);
        if (information > best) [best, shift] = [information, [dx, dy]];
      }
    }
    return shift;
  }

  test('is aligned one by one: with the B-mode image under the colours, no shift tells more', () => {
    const pairs = Array.from({ length: 40 }, (_, index) => generatePair({ seed: 9, index, size: 64 }));
    const aligned = pairs.filter(({ a, b }) => bestShift(a, b).every((step) => step === 0));
    expect(aligned.length).toBeGreaterThanOrEqual(0.95 * pairs.length);
    // The same measure finds a shift where there is one.
    const { a, b } = pairs[0]!;
    const shifted = { ...b, data: b.data.map((_, at) => b.data[at - 3 * (64 + 2)] ?? 0) };
    expect(bestShift(a, shifted)).toEqual([2, 1]);
  });

  test('misalignment bends b alone', () => {
    const still = generatePair({ seed: 2, index: 1, size: 48 });
    const bent = generatePair({ seed: 2, index: 1, size: 48, misalignment: 4 });
    expect(bent.a).toEqual(still.a);
    expect(bent.masks).toEqual(still.masks);
    expect(bent.params).toEqual(still.params);
    expect(bent.b).not.toEqual(still.b);
    expect(correlation(bent.b.data, still.b.data)).toBeGreaterThan(0.7);
  });

  /** Young's modulus of an elastogram without overlay, kPa; NaN where there is none, infinite beyond the scale. */
  function readStiffness({ data }: Raster, scaleKpa: number): number[] {
    return Array.from({ length: data.length / 3 }, (_, at) => {
      const [r, g, b] = [data[3 * at]! / 255, data[3 * at + 1]! / 255, data[3 * at + 2]! / 255];
      if (r === 0 && g === 0) return b < 0.5 ? Number.NaN : ((b - 0.5) * scaleKpa) / 4;
      if (b === 1) return ((g + 0.5) * scaleKpa) / 4;
      if (g === 1) return ((r - b + 4) * scaleKpa) / 8;
      if (r === 1) return ((3.5 - g) * scaleKpa) / 4;
      if (g > 0 || b > 0) return Number.NaN; // half shown, at a void's edge
      return r < 0.51 ? Number.POSITIVE_INFINITY : ((4.5 - r) * scaleKpa) / 4;
    });
  }

  test('shows the stiffness of its parameters inside the lesion', () => {
    const expected: number[] = [];
    const shown: number[] = [];
    for (let index = 0; index < 80; index += 1) {
      const { stiffness, elastogram } = sampleCase({ seed: 7, index });
      // What can be read off: one level all over, below the top of the scale.
      if (stiffness.rim !== 1 || stiffness.silentCyst || stiffness.lesion > 0.8 * elastogram.scaleKpa)
        continue;
      const size = 64;
      const { b, params } = generatePair({ seed: 7, index, size, overlay: false });
      const { x, y, radius } = params.lesion;
      // The middle of the lesion: the point spread mixes into its margin what is around.
      const inside = readStiffness(b, elastogram.scaleKpa).filter((kpa, at) => {
        const across = (((at % size) + 0.5) * params.view.fieldOfView) / size - x;
        const down = ((Math.floor(at / size) + 0.5) * params.view.fieldOfView) / size - y;
        return Number.isFinite(kpa) && Math.hypot(across, down) < 0.5 * radius;
      });
      if (inside.length < 10) continue;
      expected.push(Math.log(stiffness.lesion));
      shown.push(mean(inside.map(Math.log)));
    }
    const gaps = shown.map((value, i) => value - expected[i]!);
    expect(shown.length).toBeGreaterThan(40);
    expect(correlation(shown, expected)).toBeGreaterThan(0.95);
    expect(Math.abs(mean(gaps))).toBeLessThan(0.08);
    expect(Math.sqrt(variance(gaps))).toBeLessThan(0.2);
  });

  test('in gray is the stiffness on the same scale', () => {
    const size = 48;
    for (let index = 0; index < 4; index += 1) {
      const options = { seed: 3, index, size };
      const colours = generatePair({ ...options, overlay: false });
      const { b } = generatePair({ ...options, gray: true });
      const scale = colours.params.elastogram.scaleKpa;
      expect([b.width, b.height, b.channels, b.data.length]).toEqual([size, size, 1, size * size]);
      const kpa = readStiffness(colours.b, scale);
      const read = [...kpa.keys()].filter((at) => Number.isFinite(kpa[at]));
      expect(read.length).toBeGreaterThan(200);
      for (const at of read)
        expect(Math.abs((b.data[at]! / 255) * scale - kpa[at]!)).toBeLessThan(0.02 * scale);
    }
  });

  test('darkens the lesion and colours the stiff one', () => {
    const contrasts: number[] = [];
    const soft: number[] = [];
    const stiff: number[] = [];
    for (let index = 0; index < 40; index += 1) {
      const { a, b, masks, params } = generatePair({ seed: 4, index, size: 48 });
      const inside = [...masks.lesion.keys()].filter((at) => masks.lesion[at] === 1);
      const gland = a.data.filter((_, at) => masks.layers[at] === 2 && masks.lesion[at] === 0);
      contrasts.push(mean(gland) - mean(inside.map((at) => a.data[at]!)));
      const warmth = mean(inside.map((at) => b.data[3 * at]! - b.data[3 * at + 2]!));
      (params.stiffness.lesion > 80 ? stiff : soft).push(warmth);
    }
    expect(contrasts.filter((contrast) => contrast > 0).length).toBeGreaterThan(34);
    expect(mean(stiff)).toBeGreaterThan(mean(soft) + 50);
  });
});

describe('the label', () => {
  /** AUC of ridge regression over three folds, λ chosen within each. */
  function ridgeAuc(features: Features, labels: readonly number[]): number {
    const rows = labels.map((_, i) => i);
    const scores = new Float64Array(labels.length);
    for (let fold = 0; fold < 3; fold += 1) {
      const [train, test] = [rows.filter((i) => i % 3 !== fold), rows.filter((i) => i % 3 === fold)];
      const { scores: judged } = ridgeBaseline(
        takeRows(features, train),
        train.map((i) => labels[i]!),
        takeRows(features, test),
        train.map((_, k) => k % 3),
        { grid: [0.01, 0.1, 1] },
      );
      for (const [k, i] of test.entries()) scores[i] = judged[k]!;
    }
    return rocAuc(scores, labels);
  }
  const table = (rows: readonly number[][]) =>
    featureRows(Float64Array.from(rows.flat()), rows.length, rows[0]!.length);

  test('is told by the findings of each image, best by both together', () => {
    const labels = cases.map((c) => (c.label === 'malignant' ? 1 : 0));
    const bmode = table(
      cases.map(({ lesion, signs: { stiffRim, ...signs } }) => [
        lesion.radius,
        ...Object.values(signs).map(Number),
      ]),
    );
    const elastogram = table(
      cases.map(({ stiffness, signs }) => [
        Math.log(stiffness.lesion),
        Number(signs.stiffRim),
        stiffness.growth,
        stiffness.heterogeneity,
        Number(stiffness.silentCyst),
      ]),
    );
    const [a, b] = [ridgeAuc(bmode, labels), ridgeAuc(elastogram, labels)];
    const both = ridgeAuc(joinColumns([bmode, elastogram]), labels);
    expect(a).toBeGreaterThan(0.82);
    expect(a).toBeLessThan(0.9);
    expect(b).toBeGreaterThan(a);
    expect(both).toBeGreaterThan(b + 0.02);
    expect(both).toBeLessThan(0.97);
  });

  test('is not told by how bright which part of the image is: 12 × 12 thumbnails', () => {
    const { samples } = breastPhantom({ pairs: 320, seed: 0 });
    const labels = samples.map((sample) => (sample.label === 'malignant' ? 1 : 0));
    const thumbnails = (modality: 'a' | 'b') =>
      table(
        samples.map((sample) => {
          const { data, channels } = resize(render(sample, modality, 36), 12, 12);
          const luma = (at: number) =>
            channels === 1
              ? data[at]!
              : 0.299 * data[3 * at]! + 0.587 * data[3 * at + 1]! + 0.114 * data[3 * at + 2]!;
          return Array.from({ length: 144 }, (_, at) => luma(at) / 255);
        }),
      );
    const [a, b] = [thumbnails('a'), thumbnails('b')];
    const aucs = [a, b, joinColumns([a, b])].map((features) => ridgeAuc(features, labels));
    expect(aucs[0]).toBeGreaterThan(0.55);
    expect(Math.max(...aucs)).toBeLessThan(0.8);
  });
});

/**
 * The pixels of a few pairs that between them show every kind of finding and setting. If this fails, the phantom has
 * changed: raise `phantomVersion` and write the new digests here.
 *
 * exp, log, sin and cos may differ between versions of V8 in their last bit. Rounding to 8 bits hides that all but
 * always; these pairs were seen to keep their bytes when every such function was off by one unit in the last place at
 * random.
 */
describe('version 2 keeps its pixels', () => {
  const digest = ({ data }: Raster) => createHash('sha256').update(data).digest('hex').slice(0, 16);

  test.each<[number, Appearance, string, string]>([
    [5, {}, '156fefa0cdeaf3cd', '0bc945288fb1bf2d'], // spiculated, halo, shadow, calcifications, stiff rim; one look
    [90, {}, 'd309b7e0090a3e24', '4ded90661a639465'], // silent cyst, enhancement, ducts; three looks
    [7, { overlay: false }, '632672f72f0c6696', '0d0b9426023466f7'], // ribs
    [3, { gray: true, misalignment: 2 }, 'f83b4694b966c421', '3cb42866511f542a'],
    [338, { difficulty: 2 }, 'aafaf1b56145bc88', 'd085ea62499a4005'],
  ])('pair %d with %j', (index, appearance, a, b) => {
    expect(phantomVersion).toBe(2);
    const pair = generatePair({ seed: 0, index, size: 64, ...appearance });
    expect([digest(pair.a), digest(pair.b)]).toEqual([a, b]);
  });
});

describe('the dataset', () => {
  test('names its samples, subjects and classes', () => {
    const dataset = breastPhantom({ pairs: 12, seed: 1 });
    expect(dataset.name).toBe('phantom:breast');
    expect(dataset.modalities).toEqual(['a', 'b']);
    expect(dataset.positive).toBe('malignant');
    expect(dataset.samples[7]!.id).toBe('breast-0007');
    expect(new Set(dataset.samples.map((s) => s.id)).size).toBe(12);
    expect(new Set(dataset.samples.map((s) => s.subject)).size).toBe(12);
    expect(new Set(dataset.samples.map((s) => s.label))).toEqual(new Set(['benign', 'malignant']));
  });

  test('gives each image a key with everything its pixels depend on', () => {
    const keysOf = (options: Appearance & { seed: number }) => {
      const { images } = breastPhantom({ pairs: 2, ...options }).samples[1]!;
      return [(images.a as GeneratedSource).key, (images.b as GeneratedSource).key] as const;
    };
    const plain = keysOf({ seed: 1 });
    expect(plain[0]).toContain(`breast-${phantomVersion}/seed=1/`);
    const both = [{ seed: 2 }, { seed: 1, difficulty: 2 }].map(keysOf);
    // These leave the B-mode image alone.
    const elastograms = [{ overlay: false }, { gray: true }, { misalignment: 1 }, { misalignment: 2 }].map(
      (options) => keysOf({ seed: 1, ...options }),
    );
    for (const [a] of elastograms) expect(a).toBe(plain[0]);
    expect(new Set([plain, ...both, ...elastograms].map(([, b]) => b)).size).toBe(7);
    expect(new Set([plain, ...both, ...elastograms].flat()).size).toBe(10);
  });

  test.each([
    [{ pairs: 0, seed: 0 }, /pairs is 0, expected a whole number from 1/],
    [{ pairs: 2.5, seed: 0 }, /pairs is 2\.5/],
    [{ pairs: Number.NaN, seed: 0 }, /pairs is NaN/],
    [{ pairs: 2, seed: -1 }, /seed is -1, expected a whole number from 0/],
    [{ pairs: 2, seed: 0, overlay: 'no' as unknown as boolean }, /overlay is "no", expected true or false/],
    [{ pairs: 2, seed: 0, difficulty: 0 }, /difficulty is 0, expected a number from 0\.25 to 4/],
    [{ pairs: 2, seed: 0, difficulty: Number.NaN }, /difficulty is NaN/],
    [{ pairs: 2, seed: 0, misalignment: 37 }, /misalignment is 37, expected a number from 0 to 36/],
    [{ pairs: 2, seed: 0, misalignment: -1 }, /misalignment is -1/],
    [{ pairs: 2, seed: 0, gray: 1 as unknown as boolean }, /gray is 1, expected true or false/],
    [{ pairs: 2, seed: 0, gray: true, overlay: true }, /overlay is true with gray, expected false/],
  ])('refuses %j', (options, message) => {
    expect(() => breastPhantom(options)).toThrow(UsageError);
    expect(() => breastPhantom(options)).toThrow(message);
  });

  test('takes every option from its name', async () => {
    const name = 'phantom:breast,pairs=3,seed=4,overlay=false,difficulty=2,misalignment=1.5';
    const { samples } = await openDataset({ path: name });
    const same = { pairs: 3, seed: 4, overlay: false, difficulty: 2, misalignment: 1.5 };
    expect(samples.map((s) => (s.images.b as GeneratedSource).key)).toEqual(
      breastPhantom(same).samples.map((s) => (s.images.b as GeneratedSource).key),
    );
    const gray = await openDataset({ path: 'phantom:breast,pairs=1,gray=true' });
    expect(render(gray.samples[0]!, 'b', 32).channels).toBe(1);
    expect(gray.colourCoded).toEqual([]);
    expect((await openDataset({ path: 'phantom:breast,pairs=1' })).colourCoded).toEqual(['b']);
  });

  test('refuses a size it cannot draw', () => {
    const [sample] = breastPhantom({ pairs: 1, seed: 0 }).samples;
    expect(() => render(sample!, 'a', 8)).toThrow(/size is 8, expected a whole number from 16/);
    expect(() => generatePair({ seed: 0, index: -1, size: 32 })).toThrow(/index is -1/);
  });
});

describe('noise', () => {
  test('a field and a curve have zero mean and unit variance', () => {
    const pooled = { field: [] as number[], curve: [] as number[] };
    for (let k = 0; k < 20; k += 1) {
      const random = new Random('noise test', k);
      const options = { width: 60, height: 60, cellX: 2, cellY: 1, octaves: 3 };
      pooled.field.push(...drawField(noiseField(random, options), 60, 1));
      pooled.curve.push(...drawCurve(noiseCurve(random, { length: 600, spacing: 2, octaves: 2 }), 600, 1));
    }
    for (const values of Object.values(pooled)) {
      expect(Math.abs(mean(values))).toBeLessThan(0.05);
      expect(Math.abs(variance(values) - 1)).toBeLessThan(0.08);
    }
  });

  test('the Gaussian filter keeps constants and the mean, and adds no extremes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.integer(),
        (width, height, sigmaX, sigmaY, seed) => {
          const random = new Random(seed);
          const image = Float32Array.from({ length: width * height }, () => random.normal());
          const blurred = gaussianBlur(image, width, height, sigmaX, sigmaY);
          // Mirrored edges hand back what the kernel carries over them.
          expect(mean(blurred)).toBeCloseTo(mean(image), 5);
          expect(Math.max(...blurred)).toBeLessThanOrEqual(Math.max(...image) + 1e-5);
          const constant = gaussianBlur(image.fill(0.7), width, height, sigmaX, sigmaY);
          for (const value of constant) expect(value).toBeCloseTo(0.7, 5);
        },
      ),
    );
    const kernel = gaussianKernel(2);
    const radius = (kernel.length - 1) / 2;
    expect(kernel.reduce((sum, w) => sum + w, 0)).toBeCloseTo(1, 12);
    expect(kernel.reduce((sum, w, i) => sum + w * (i - radius) ** 2, 0)).toBeCloseTo(4, 0);
  });
});
