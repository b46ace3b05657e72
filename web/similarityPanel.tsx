import { useEffect, useRef, useState } from 'preact/hooks';
import type { Outline, Region, Similarity } from '../src/server/messages.js';
import { heat, type Look } from './heat.js';
import { type Point, useZoomable } from './zoomable.js';

/** Magenta, as no similarity has it. */
const LESION = '#ff4fd8';

/** A click, not a drag: nobody's hand is steadier than this share of a panel. */
const CLICK = 0.012;

export interface PanelProps {
  answer: Similarity;
  values: readonly number[];
  modality: string;
  address: string;
  region: Region;
  look: Look;
  cursor: Point | undefined;
  blend: number;
  outline: Outline;
  onLook: (look: Look) => void;
  onCursor: (cursor: Point | undefined) => void;
  onPoint: (region: Region) => void;
}

/** An image with the similarities of its patches over it; a click or a drag points at a region. */
export function SimilarityPanel(props: PanelProps) {
  const {
    answer,
    values,
    modality,
    address,
    region,
    look,
    cursor,
    blend,
    outline,
    onLook,
    onCursor,
    onPoint,
  } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const image = useImage(address);
  const [drag, setDrag] = useState<{ from: Point; panel: Point; pans: boolean }>();
  const { placeOf, panned } = useZoomable(canvas, look, onLook);
  const shown = drag && cursor && !drag.pans ? between(drag.from, cursor) : region;
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context) draw(context, { answer, values, image, look, cursor, blend, outline, shown });
  }, [answer, values, image, look, cursor, blend, outline, shown]);
  return (
    <figure>
      <canvas
        ref={canvas}
        width={480}
        height={480}
        role="img"
        aria-label={`${modality}, and how similar its places are to the one pointed at`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = placeOf(event);
          setDrag({ from: at.image, panel: at.panel, pans: event.shiftKey });
        }}
        onPointerMove={(event) => {
          const at = placeOf(event);
          onCursor(at.image);
          if (!drag?.pans) return;
          onLook(panned(drag.panel, at.panel));
          setDrag({ ...drag, panel: at.panel });
        }}
        onPointerUp={(event) => {
          if (drag && !drag.pans) onPoint(between(drag.from, placeOf(event).image));
          setDrag(undefined);
        }}
        onPointerCancel={() => setDrag(undefined)}
        onPointerLeave={() => onCursor(undefined)}
      />
      <figcaption>
        {modality}: {Math.min(...values).toFixed(2)} (dark) to {Math.max(...values).toFixed(2)} (light)
      </figcaption>
    </figure>
  );
}

/** The region that a drag covers; its start where it is a click. */
function between(from: Point, to: Point): Region {
  if (Math.hypot(to.x - from.x, to.y - from.y) < CLICK)
    return { left: from.x, top: from.y, right: from.x, bottom: from.y };
  return {
    left: Math.min(from.x, to.x),
    top: Math.min(from.y, to.y),
    right: Math.max(from.x, to.x),
    bottom: Math.max(from.y, to.y),
  };
}

function draw(
  context: CanvasRenderingContext2D,
  {
    answer,
    values,
    image,
    look,
    cursor,
    blend,
    outline,
    shown,
  }: Pick<PanelProps, 'answer' | 'values' | 'look' | 'cursor' | 'blend' | 'outline'> & {
    image: HTMLImageElement | undefined;
    shown: Region;
  },
): void {
  const { width: side } = context.canvas;
  const scale = side * look.zoom;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalAlpha = 1;
  context.clearRect(0, 0, side, side);
  // From here on the image is the square from 0 to 1.
  context.setTransform(scale, 0, 0, scale, side / 2 - look.x * scale, side / 2 - look.y * scale);
  context.imageSmoothingEnabled = look.zoom < 3;
  if (image !== undefined) context.drawImage(image, 0, 0, 1, 1);
  const { grid, anchors } = answer;
  context.globalAlpha = blend;
  context.imageSmoothingEnabled = false;
  context.drawImage(heatMap(values, anchors, grid), 0, 0, 1, 1);
  context.globalAlpha = 1;
  const pixel = 1 / scale;
  context.strokeStyle = LESION;
  context.lineWidth = 2.5 * pixel;
  context.beginPath();
  for (const [x1, y1, x2, y2] of outline) {
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
  }
  context.stroke();
  for (const [colour, width] of [
    ['#000', 4],
    ['#fff', 2],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width * pixel;
    for (const patch of anchors) {
      context.strokeRect((patch % grid) / grid, Math.floor(patch / grid) / grid, 1 / grid, 1 / grid);
    }
    context.strokeRect(shown.left, shown.top, shown.right - shown.left, shown.bottom - shown.top);
    if (cursor !== undefined) {
      context.beginPath();
      context.arc(cursor.x, cursor.y, 6 * pixel, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

/** A picture with a pixel for each patch. The region itself is as similar as can be, so it does not set the scale. */
function heatMap(values: readonly number[], anchors: readonly number[], grid: number): HTMLCanvasElement {
  const chosen = new Set(anchors);
  const others = values.filter((_, patch) => !chosen.has(patch));
  const scale = others.length > 0 ? others : values;
  const [low, high] = [Math.min(...scale), Math.max(...scale)];
  const map = document.createElement('canvas');
  map.width = grid;
  map.height = grid;
  const picture = new ImageData(grid, grid);
  for (const [patch, value] of values.entries()) {
    picture.data.set([...heat((value - low) / (high - low || 1)), 255], 4 * patch);
  }
  map.getContext('2d')!.putImageData(picture, 0, 0);
  return map;
}

function useImage(address: string): HTMLImageElement | undefined {
  const [image, setImage] = useState<HTMLImageElement>();
  useEffect(() => {
    setImage(undefined); // that of another sample would stand under similarities that are not its own
    const next = new Image();
    next.onload = () => setImage(next);
    next.src = address;
    return () => {
      next.onload = null;
    };
  }, [address]);
  return image;
}
