import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { imagePlace, inside, type Look, zoomed } from './heat.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where an event lies: in the panel, and in what the panel shows, both as shares. */
export interface Place {
  readonly panel: Point;
  readonly image: Point;
}

/** Lets the wheel enlarge a canvas around the pointer. @returns the place of an event, and the look that a pan leads to */
export function useZoomable(
  canvas: RefObject<HTMLCanvasElement | null>,
  look: Look,
  onLook: (look: Look) => void,
): { placeOf: (event: MouseEvent) => Place; panned: (from: Point, to: Point) => Look } {
  const placeOf = (event: MouseEvent): Place => {
    const { left, top, width, height } = canvas.current!.getBoundingClientRect();
    const panel = { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
    return { panel, image: imagePlace(look, panel) };
  };
  // Preact's own listeners are passive, and the page must not scroll while a canvas is enlarged.
  const wheel = useRef<(event: WheelEvent) => void>(() => {});
  wheel.current = (event) => {
    event.preventDefault();
    onLook(zoomed(look, event.deltaY < 0 ? 1.25 : 0.8, placeOf(event).image));
  };
  useEffect(() => {
    const listener = (event: WheelEvent) => wheel.current(event);
    canvas.current?.addEventListener('wheel', listener, { passive: false });
    return () => canvas.current?.removeEventListener('wheel', listener);
  }, []);
  const panned = (from: Point, to: Point): Look =>
    inside({ ...look, x: look.x - (to.x - from.x) / look.zoom, y: look.y - (to.y - from.y) / look.zoom });
  return { placeOf, panned };
}
