import type { Random } from '../../tensor/random.js';
import { drawField, noiseField } from '../noise.js';
import { type Eye, fieldOfView } from './fundusCase.js';
import type { Segment } from './fundusVessels.js';

/**
 * The number of vessels of the choroid. They are broad and dense, run outwards from the posterior pole and join where
 * they meet.
 */
const count = 330;
const step = 0.2;
/** The number of cells, along a side, of the grid that holds the directions. */
const grid = 24;

export function growChoroid(random: Random, { disc, fovea }: Eye): Segment[] {
  const options = { width: fieldOfView, height: fieldOfView, cellX: 2.4, cellY: 2.4, octaves: 2 };
  const swirl = drawField(noiseField(random, options), grid, fieldOfView / grid);
  const pole = { x: (disc.x + fovea.x) / 2, y: (disc.y + fovea.y) / 2 };
  const cell = (position: number) =>
    Math.max(0, Math.min(grid - 1, Math.floor((position / fieldOfView) * grid)));
  const direction = (x: number, y: number): number => {
    // Directions are flatter than radial, as most of the choroid's vessels run to the sides.
    const outwards = Math.atan2(0.8 * (y - pole.y), x - pole.x);
    return outwards + 0.6 * swirl[cell(y) * grid + cell(x)]!;
  };
  const segments: Segment[] = [];
  for (let branch = 0; branch < count; branch += 1) {
    let x = random.uniform(0, fieldOfView);
    let y = random.uniform(0, fieldOfView);
    let heading = direction(x, y);
    let width = random.uniform(0.08, 0.26);
    const steps = 6 + random.below(20);
    for (let i = 0; i < steps; i += 1) {
      const target = direction(x, y);
      // The vessel turns smoothly, as the directions lie on a grid.
      heading += 0.35 * Math.sin(target - heading) + random.normal(0, 0.12);
      const to = { x: x + step * Math.cos(heading), y: y + step * Math.sin(heading) };
      segments.push({ from: { x, y }, to, width, branch });
      ({ x, y } = to);
      width *= 0.995;
    }
  }
  return segments;
}
