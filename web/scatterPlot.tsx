import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ExplorerSample } from '../src/server/messages.js';
import { type Look, WHOLE } from './heat.js';
import { SampleImage } from './sampleImage.js';
import { nearest, type Placed, samplesWithin } from './scatter.js';
import { type Point, useZoomable } from './zoomable.js';

/** A point is pointed at from within so many pixels of the canvas. */
const REACH = 14;
const SIDE = 900;

/** The marks of modalities, for the eye that tells no colours apart. */
export const MARKS = ['●', '▲', '■', '◆'];

interface ScatterProps {
  run: string;
  points: readonly Placed[];
  colours: readonly (readonly [number, number, number])[];
  samples: readonly ExplorerSample[];
  chosen: readonly number[];
  /** The sample that is pointed at, here or in the table. */
  shown: number | undefined;
  onChoose: (samples: readonly number[]) => void;
  onShow: (sample: number | undefined) => void;
  /** What stands beside the plot, below the case that is shown. */
  children: ComponentChildren;
}

/** Images as points: one is shown when it is pointed at, explored by a click, chosen by a lasso. */
export function ScatterPlot(props: ScatterProps) {
  const { run, points, colours, samples, chosen, shown, onChoose, onShow, children } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [look, setLook] = useState<Look>(WHOLE);
  const [lasso, setLasso] = useState<readonly Point[]>([]);
  const [pan, setPan] = useState<Point>();
  const { placeOf, panned } = useZoomable(canvas, look, setLook);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const frame = requestAnimationFrame(() =>
      draw(context, { points, colours, look, shown, lasso, chosen: new Set(chosen) }),
    );
    return () => cancelAnimationFrame(frame);
  }, [points, colours, look, shown, lasso, chosen]);
  const own = shown === undefined ? undefined : samples[shown];
  return (
    <div class="scatter">
      <canvas
        ref={canvas}
        width={SIDE}
        height={SIDE}
        role="img"
        aria-label={`${points.length} images as points; images that look alike to the encoder are near each other`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = placeOf(event);
          if (event.shiftKey) setPan(at.panel);
          else setLasso([at.image]);
        }}
        onPointerMove={(event) => {
          const at = placeOf(event);
          if (pan !== undefined) {
            setLook(panned(pan, at.panel));
            setPan(at.panel);
          } else if (lasso.length > 0) setLasso([...lasso, at.image]);
          else onShow(nearest(points, at.image, REACH / SIDE / look.zoom)?.sample);
        }}
        onPointerUp={(event) => {
          const at = placeOf(event).image;
          const [start] = lasso;
          const spread = Math.max(0, ...lasso.map(({ x, y }) => Math.hypot(x - start!.x, y - start!.y)));
          if (spread * look.zoom > 2 * (REACH / SIDE)) onChoose(samplesWithin(points, lasso));
          else if (start !== undefined) {
            const hit = nearest(points, at, REACH / SIDE / look.zoom);
            if (hit !== undefined)
              location.hash = `#/explore?${new URLSearchParams({ run, sample: String(hit.sample) })}`;
          }
          setLasso([]);
          setPan(undefined);
        }}
        onPointerCancel={() => {
          setLasso([]);
          setPan(undefined);
        }}
        onPointerLeave={() => onShow(undefined)}
      />
      <div class="side">
        <p class="shown" aria-live="polite">
          {own === undefined ? (
            'Nothing is pointed at.'
          ) : (
            <>
              <strong>{own.id}</strong> {own.label !== undefined && `${own.label}, `}subject {own.subject}
              <span class="thumbnails">
                {own.modalities.map((modality) => (
                  <SampleImage
                    key={modality}
                    alt={modality}
                    title={modality}
                    src={`/api/image?${new URLSearchParams({ run, sample: String(shown), modality })}`}
                  />
                ))}
              </span>
            </>
          )}
        </p>
        {children}
      </div>
    </div>
  );
}

function draw(
  context: CanvasRenderingContext2D,
  {
    points,
    colours,
    look,
    shown,
    lasso,
    chosen,
  }: Pick<ScatterProps, 'points' | 'colours'> & {
    look: Look;
    shown: number | undefined;
    lasso: readonly Point[];
    chosen: ReadonlySet<number>;
  },
): void {
  const scale = SIDE * look.zoom;
  const at = ({ x, y }: Point): [number, number] => [
    SIDE / 2 + (x - look.x) * scale,
    SIDE / 2 + (y - look.y) * scale,
  ];
  context.clearRect(0, 0, SIDE, SIDE);
  const size = (points.length > 4000 ? 4 : 7) * Math.sqrt(look.zoom);
  const ink = getComputedStyle(context.canvas).color;
  for (const point of points) {
    const [x, y] = at(point);
    if (x < -size || y < -size || x > SIDE + size || y > SIDE + size) continue;
    const [red, green, blue] = colours[point.sample]!;
    context.fillStyle = `rgb(${red} ${green} ${blue})`;
    context.globalAlpha = chosen.size > 0 && !chosen.has(point.sample) ? 0.15 : 0.8;
    mark(context, point.modality, x, y, size);
  }
  context.globalAlpha = 1;
  context.strokeStyle = ink;
  if (shown !== undefined) {
    // The images of one sample belong together.
    const mates = points.filter(({ sample }) => sample === shown);
    context.lineWidth = 2;
    for (const [i, mate] of mates.entries()) {
      const [x, y] = at(mate);
      context.beginPath();
      context.arc(x, y, size + 3, 0, 2 * Math.PI);
      context.stroke();
      if (i === 0) continue;
      context.beginPath();
      context.moveTo(...at(mates[0]!));
      context.lineTo(x, y);
      context.stroke();
    }
  }
  if (lasso.length > 1) {
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    context.beginPath();
    for (const point of lasso) context.lineTo(...at(point));
    context.closePath();
    context.stroke();
    context.setLineDash([]);
  }
}

/** A mark of each modality, in the order of `MARKS`. */
function mark(context: CanvasRenderingContext2D, modality: number, x: number, y: number, size: number): void {
  const half = size / 2;
  if (modality % MARKS.length === 2) {
    context.fillRect(x - half, y - half, size, size);
    return;
  }
  context.beginPath();
  if (modality % MARKS.length === 0) context.arc(x, y, half, 0, 2 * Math.PI);
  else if (modality % MARKS.length === 1) {
    context.moveTo(x, y - half);
    context.lineTo(x + half, y + half);
    context.lineTo(x - half, y + half);
  } else {
    context.moveTo(x, y - half);
    context.lineTo(x + half, y);
    context.lineTo(x, y + half);
    context.lineTo(x - half, y);
  }
  context.fill();
}
