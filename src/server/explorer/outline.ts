/** Turns masks into outlines, which a page can draw sharply at any size. */
import type { LesionMask } from '../../evaluation/pairs/measures/zones.js';
import type { Outline } from '../messages.js';

type Edge = readonly [number, number, number, number];

/** @returns the edges between pixels inside and outside of the mask; those that go straight on are one */
export function outlineOf({ width, height, data }: LesionMask): Outline {
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] === 1;
  const edges: Edge[] = [];
  for (let y = 0; y <= height; y += 1) {
    for (const [from, to] of runs(width, (x) => inside(x, y) !== inside(x, y - 1))) {
      edges.push([from / width, y / height, to / width, y / height]);
    }
  }
  for (let x = 0; x <= width; x += 1) {
    for (const [from, to] of runs(height, (y) => inside(x, y) !== inside(x - 1, y))) {
      edges.push([x / width, from / height, x / width, to / height]);
    }
  }
  return edges;
}

/** The stretches [from, to) of 0 … length on which something holds. */
function* runs(length: number, holds: (at: number) => boolean): Generator<[number, number]> {
  let from = -1;
  for (let at = 0; at <= length; at += 1) {
    const on = at < length && holds(at);
    if (on && from < 0) from = at;
    if (!on && from >= 0) {
      yield [from, at];
      from = -1;
    }
  }
}
