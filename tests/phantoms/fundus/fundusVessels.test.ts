import { describe, expect, test } from 'vitest';
import { type Eye, sampleFundusCase } from '../../../src/phantoms/fundus/fundusCase.js';
import {
  growVessels,
  murrayExponent,
  type Segment,
  type VesselTree,
} from '../../../src/phantoms/fundus/fundusVessels.js';
import { drawStrokes } from '../../../src/phantoms/fundus/strokes.js';
import { Random } from '../../../src/tensor/random.js';

const shares = { normal: 1, amd: 1, 'high-myopia': 1, 'pathologic-myopia': 1 };
const grown = Array.from({ length: 20 }, (_, index) => {
  const { eye } = sampleFundusCase({ seed: 3, index, shares });
  return {
    eye,
    trees: (['artery', 'vein'] as const).map((kind) => growVessels(new Random('vessels', index), kind, eye)),
  };
});
const trees = grown.flatMap((one) => one.trees);

function crossing({ from: a, to: b }: Segment, { from: c, to: d }: Segment): boolean {
  const side = (p: typeof a, q: typeof a, r: typeof a) =>
    (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

describe('the vessels', () => {
  test("obey Murray's law at every bifurcation", () => {
    const bifurcations = trees.flatMap((tree) => tree.bifurcations);
    expect(bifurcations.length).toBeGreaterThan(500);
    for (const { parent, large, small } of bifurcations) {
      const residual = parent ** murrayExponent - large ** murrayExponent - small ** murrayExponent;
      expect(Math.abs(residual)).toBeLessThan(1e-6 * parent ** murrayExponent);
      expect(small).toBeLessThanOrEqual(large);
    }
  });

  test('divide at the angles of least power, the smaller one turning more', () => {
    for (const { parent, large, small, largeAngle, smallAngle } of trees.flatMap(
      (tree) => tree.bifurcations,
    )) {
      const cosine = (own: number, other: number) =>
        (parent ** 4 + own ** 4 - other ** 4) / (2 * parent ** 2 * own ** 2);
      expect(Math.cos(largeAngle)).toBeCloseTo(cosine(large, small), 9);
      expect(Math.cos(smallAngle)).toBeCloseTo(cosine(small, large), 9);
      expect(smallAngle).toBeGreaterThanOrEqual(largeAngle);
      expect(largeAngle + smallAngle).toBeGreaterThan(1.1); // 75 to 90 degrees in theory, less for γ < 3
      expect(largeAngle + smallAngle).toBeLessThan(1.75);
    }
  });

  test('never cross one of their own kind', () => {
    const crossings = ({ segments }: VesselTree) => {
      let count = 0;
      for (const [i, first] of segments.entries()) {
        for (const second of segments.slice(i + 1)) {
          if (first.branch !== second.branch && crossing(first, second)) count += 1;
        }
      }
      return count;
    };
    expect(trees.map(crossings)).toEqual(trees.map(() => 0));
  });

  test('spare the fovea, and lead around it above and below', () => {
    for (const { eye, trees: both } of grown) {
      const { fovea, disc } = eye as Eye;
      const segments = both.flatMap((tree) => tree.segments);
      const nearest = Math.min(...segments.map(({ to }) => Math.hypot(to.x - fovea.x, to.y - fovea.y)));
      expect(nearest).toBeGreaterThan(eye.fovealZone);
      const length = Math.hypot(fovea.x - disc.x, fovea.y - disc.y);
      const [ax, ay] = [(fovea.x - disc.x) / length, (fovea.y - disc.y) / length];
      const overFovea = segments
        .filter(({ width }) => width > 0.061)
        .map(({ to }) => ({
          u: (to.x - disc.x) * ax + (to.y - disc.y) * ay,
          v: (to.x - disc.x) * ay - (to.y - disc.y) * ax,
        }))
        .filter(({ u }) => Math.abs(u - length) < 0.3);
      for (const half of [1, -1]) {
        const heights = overFovea.filter(({ v }) => half * v > 0).map(({ v }) => Math.abs(v));
        if (heights.length === 0) continue; // it left the field before
        expect(Math.min(...heights)).toBeGreaterThan(1.3);
        expect(Math.min(...heights)).toBeLessThan(5);
      }
    }
  });

  test('veins are wider than arteries, about 3 to 2', () => {
    const widest = grown.map((one) =>
      one.trees.map(({ segments }) => Math.max(...segments.map((s) => s.width))),
    );
    const ratio = widest.reduce((sum, [artery, vein]) => sum + artery! / vein!, 0) / widest.length;
    expect(Math.abs(ratio - 0.73)).toBeLessThan(0.07);
  });
});

describe('strokes', () => {
  test('cover as many pixels as the line has area, however fine', () => {
    for (const [width, size] of [
      [0.6, 64],
      [0.2, 64],
      [0.05, 64],
      [0.05, 16],
    ] as const) {
      const pixel = 8 / size;
      const line = { from: { x: 2.03, y: 3.11 }, to: { x: 6.03, y: 4.61 }, width, branch: 0 };
      const covered = drawStrokes([line], size, pixel).reduce((sum, share) => sum + share, 0) * pixel ** 2;
      const area = width * Math.hypot(4, 1.5);
      // Its rounded ends reach beyond it by up to half a width and half a pixel.
      expect(covered).toBeGreaterThan(0.85 * area);
      expect(covered).toBeLessThan(1.1 * area + width * (width + pixel));
    }
  });
});
