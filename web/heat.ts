/** The colours of similarities, and places in a panel that is zoomed. */

/** Nine colours of viridis, which get lighter all the way and are told apart by any colour vision. */
const VIRIDIS: readonly Colour[] = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
];

export type Colour = readonly [red: number, green: number, blue: number];

/** The colour of a share from 0, dark, to 1, light. What is no number is dark. */
export function heat(share: number): Colour {
  const at = Math.min(1, Math.max(0, Number.isNaN(share) ? 0 : share)) * (VIRIDIS.length - 1);
  const [low, high] = [VIRIDIS[Math.floor(at)]!, VIRIDIS[Math.ceil(at)]!];
  const mixed = (i: 0 | 1 | 2) => Math.round(low[i] + (at - Math.floor(at)) * (high[i] - low[i]));
  return [mixed(0), mixed(1), mixed(2)];
}

/** What the panels show: the point in their middle, as shares of the image, and how much it is enlarged. */
export interface Look {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

export const WHOLE: Look = { x: 0.5, y: 0.5, zoom: 1 };

/** Enlarges around a point of the image, which stays where it is; never less than the whole image is shown. */
export function zoomed({ x, y, zoom }: Look, factor: number, around: { x: number; y: number }): Look {
  const next = Math.min(16, Math.max(1, zoom * factor));
  const towards = (middle: number, point: number) => point + (middle - point) * (zoom / next);
  return inside({ x: towards(x, around.x), y: towards(y, around.y), zoom: next });
}

/** Moves the look so that nothing beside the image is shown. */
export function inside({ x, y, zoom }: Look): Look {
  const kept = (middle: number) => Math.min(1 - 0.5 / zoom, Math.max(0.5 / zoom, middle));
  return { x: kept(x), y: kept(y), zoom };
}

/** The place in the image, as shares, of a place in the panel, as shares. */
export function imagePlace({ x, y, zoom }: Look, panel: { x: number; y: number }): { x: number; y: number } {
  return { x: x + (panel.x - 0.5) / zoom, y: y + (panel.y - 0.5) / zoom };
}
