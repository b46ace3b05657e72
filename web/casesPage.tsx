import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type CaseMap, type ExplorerSample, PROJECTIONS } from '../src/server/messages.js';
import { imagePlace, inside, type Look, WHOLE, zoomed } from './heat.js';
import { asked, type Live, leaving, setQuery, useSamples } from './live.js';
import { colouring, dropList, nearest, type Placed, placed, samplesWithin } from './scatter.js';

const NAMES = { pca: 'PCA', umap: 'UMAP', tsne: 't-SNE' } as const;

/** A point is pointed at from within so many pixels of the canvas. */
const REACH = 14;
const SIDE = 900;
/** The links of a lasso that are listed. */
const LISTED = 100;

export function CasesPage({ query }: { live: Live; query: URLSearchParams }) {
  const runs = query.getAll('run');
  const [run] = runs;
  const { opened, refused } = useSamples(run === undefined ? [] : [run]);
  const samples = opened.get(run ?? '')?.samples;
  const kind = query.get('map') ?? 'pca';
  const features = query.get('features') ?? 'pooled';
  const { map, trouble } = useCases(run, kind, features);
  const columns = Object.keys(map?.columns ?? {});
  const by = columns.includes(query.get('by') ?? '') ? query.get('by')! : (columns[0] ?? '');
  const points = useMemo(() => placed(Object.values(map?.points ?? {})), [map]);
  const words = map?.columns[by];
  const colours = useMemo(() => colouring(words ?? (samples ?? []).map(() => '')), [words, samples]);
  const [chosen, setChosen] = useState<readonly number[]>([]);
  useEffect(() => setChosen([]), [map]);
  const change = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    next.set(name, value);
    setQuery('/cases', next);
  };
  if (run === undefined) {
    return (
      <main>
        <h1>No run is chosen</h1>
        <p>
          Choose one in the <a href="#/">list</a>, then Cases.
        </p>
      </main>
    );
  }
  const modalities = Object.keys(map?.points ?? {});
  return (
    <main>
      <h1 class="hidden">The cases of {run}</h1>
      {[...refused, ...(trouble === undefined ? [] : [trouble])].map((one) => (
        <p key={one} class="trouble" role="alert">
          {one}
        </p>
      ))}
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        {runs.length > 1 && (
          <label>
            Run
            <select
              value={run}
              onChange={(event) => {
                const next = new URLSearchParams(query);
                const first = event.currentTarget.value;
                next.delete('run');
                for (const id of [first, ...runs.filter((one) => one !== first)]) next.append('run', id);
                setQuery('/cases', next);
              }}
            >
              {runs.map((id) => (
                <option key={id}>{id}</option>
              ))}
            </select>
          </label>
        )}
        <label>
          Features
          <select value={features} onChange={(event) => change('features', event.currentTarget.value)}>
            <option value="pooled">pooled</option>
            <option value="head">head</option>
          </select>
        </label>
        <label>
          Map
          <select value={kind} onChange={(event) => change('map', event.currentTarget.value)}>
            {PROJECTIONS.map((one) => (
              <option key={one} value={one}>
                {NAMES[one]}
              </option>
            ))}
          </select>
        </label>
        {columns.length > 0 && (
          <label>
            Colour
            <select value={by} onChange={(event) => change('by', event.currentTarget.value)}>
              {columns.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
      </form>
      {map === undefined && trouble === undefined && refused.length === 0 && (
        <p role="status">Computing the features of all images and their map …</p>
      )}
      {map !== undefined && samples !== undefined && (
        <>
          <ul class="legend">
            {colours.legend.map((one) => (
              <li key={one.words}>
                <span class="swatch" style={{ background: `rgb(${one.colour.join(' ')})` }} /> {one.words}
              </li>
            ))}
            {modalities.length > 1 && (
              <li>{modalities.map((name, m) => `${MARKS[m % MARKS.length]} ${name}`).join(' ')}</li>
            )}
          </ul>
          <p class="count">
            {samples.length} samples. Point at one to see it, click to explore it, drag around some to choose
            them; the wheel enlarges, shift and drag moves.
          </p>
          <div class="cases">
            <Scatter {...{ run, points, colours: colours.colours, samples, chosen }} onChoose={setChosen} />
            {chosen.length > 0 && <Chosen {...{ run, samples, chosen }} onClear={() => setChosen([])} />}
          </div>
        </>
      )}
    </main>
  );
}

/** The marks of modalities, for the eye that tells no colours apart. */
const MARKS = ['●', '▲', '■', '◆'];

function Chosen(props: {
  run: string;
  samples: readonly ExplorerSample[];
  chosen: readonly number[];
  onClear: () => void;
}) {
  const { run, samples, chosen, onClear } = props;
  const list = dropList(chosen.map((sample) => samples[sample]!.id));
  return (
    <section aria-label="Chosen samples">
      <h2>{chosen.length} chosen</h2>
      <p>
        <a
          class="button"
          download="chosen.csv"
          href={`data:text/csv;charset=utf-8,${encodeURIComponent(list)}`}
        >
          Save as CSV
        </a>{' '}
        <button type="button" class="step" onClick={onClear}>
          Clear
        </button>
      </p>
      <p class="count">
        The file is a list of samples to leave out too: <code>--set data.drop=chosen.csv</code>
      </p>
      <ul class="ids">
        {chosen.slice(0, LISTED).map((sample) => (
          <li key={sample}>
            <a href={`#/explore?${new URLSearchParams({ run, sample: String(sample) })}`}>
              {samples[sample]!.id}
            </a>
          </li>
        ))}
        {chosen.length > LISTED && <li>and {chosen.length - LISTED} more</li>}
      </ul>
    </section>
  );
}

interface ScatterProps {
  run: string;
  points: readonly Placed[];
  colours: readonly (readonly [number, number, number])[];
  samples: readonly ExplorerSample[];
  chosen: readonly number[];
  onChoose: (samples: readonly number[]) => void;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

function Scatter({ run, points, colours, samples, chosen, onChoose }: ScatterProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [look, setLook] = useState<Look>(WHOLE);
  const [shown, setShown] = useState<Placed>();
  const [lasso, setLasso] = useState<readonly Point[]>([]);
  const [pan, setPan] = useState<Point>();
  const place = (event: MouseEvent): { panel: Point; map: Point } => {
    const { left, top, width, height } = canvas.current!.getBoundingClientRect();
    const panel = { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
    return { panel, map: imagePlace(look, panel) };
  };
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const frame = requestAnimationFrame(() =>
      draw(context, { points, colours, look, shown, lasso, chosen: new Set(chosen) }),
    );
    return () => cancelAnimationFrame(frame);
  }, [points, colours, look, shown, lasso, chosen]);
  const wheel = useRef<(event: WheelEvent) => void>(() => {});
  wheel.current = (event) => {
    event.preventDefault();
    setLook(zoomed(look, event.deltaY < 0 ? 1.25 : 0.8, place(event).map));
  };
  useEffect(() => {
    const listener = (event: WheelEvent) => wheel.current(event);
    canvas.current?.addEventListener('wheel', listener, { passive: false });
    return () => canvas.current?.removeEventListener('wheel', listener);
  }, []);
  const own = shown === undefined ? undefined : samples[shown.sample];
  return (
    <figure class="scatter">
      <canvas
        ref={canvas}
        width={SIDE}
        height={SIDE}
        role="img"
        aria-label={`${points.length} images as points; images that look alike to the encoder are near each other`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = place(event);
          if (event.shiftKey) setPan(at.panel);
          else setLasso([at.map]);
        }}
        onPointerMove={(event) => {
          const at = place(event);
          if (pan !== undefined) {
            setLook(
              inside({
                ...look,
                x: look.x - (at.panel.x - pan.x) / look.zoom,
                y: look.y - (at.panel.y - pan.y) / look.zoom,
              }),
            );
            setPan(at.panel);
          } else if (lasso.length > 0) setLasso([...lasso, at.map]);
          else setShown(nearest(points, at.map, REACH / SIDE / look.zoom));
        }}
        onPointerUp={(event) => {
          const at = place(event).map;
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
        onPointerLeave={() => setShown(undefined)}
      />
      <figcaption>
        {own === undefined ? (
          'Nothing is pointed at.'
        ) : (
          <>
            <strong>{own.id}</strong> {own.label !== undefined && `${own.label}, `}subject {own.subject}
            <span class="thumbnails">
              {own.modalities.map((modality) => (
                <img
                  key={modality}
                  alt={modality}
                  title={modality}
                  src={`/api/image?${new URLSearchParams({ run, sample: String(shown!.sample), modality })}`}
                />
              ))}
            </span>
          </>
        )}
      </figcaption>
    </figure>
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
    shown: Placed | undefined;
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
    const mates = points.filter(({ sample }) => sample === shown.sample);
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

function useCases(
  run: string | undefined,
  kind: string,
  features: string,
): { map?: CaseMap; trouble?: string } {
  const [found, setFound] = useState<{ map?: CaseMap; trouble?: string }>({});
  useEffect(() => {
    if (run === undefined) return;
    const { signal, abort } = leaving();
    setFound({});
    const ask = async () => {
      const answer = await asked<CaseMap>('/api/cases', new URLSearchParams({ run, kind, features }), signal);
      if (!signal.aborted)
        setFound('refused' in answer ? { trouble: answer.refused } : { map: answer.answer });
    };
    void ask();
    return abort;
  }, [run, kind, features]);
  return found;
}
