import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { PALETTE } from '../src/report/figures/palette.js';
import type { MetricLine, MetricLines, RunDifference, RunSummary } from '../src/server/messages.js';
import { aligned, type Course, curveOf, smoothed, termsOf } from './curves.js';
import { type Live, setQuery, useAnswer } from './live.js';
import { brief, STATE_WORDS } from './words.js';

export function ComparePage({ live, query }: { live: Live; query: URLSearchParams }) {
  const ids = query.getAll('run');
  const runs = ids.flatMap((id) => live.runs.find((run) => run.id === id) ?? []);
  const missing = ids.filter((id) => !live.runs.some((run) => run.id === id));
  const courses = useCourses(runs);
  const terms = useMemo(() => termsOf(runs.map(({ id }) => courses.get(id) ?? [])), [courses]);
  const smoothing = Math.min(0.99, Math.max(0, Number(query.get('smooth') ?? '0')) || 0);
  const logarithmic = query.get('scale') === 'log';
  const change = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    if (value === '') next.delete(name);
    else next.set(name, value);
    setQuery('/compare', next);
  };
  const [main, more] = [terms.filter(isMain), terms.filter((term) => !isMain(term))];
  const charts = (some: readonly string[]) => (
    <div class="charts">
      {some.map((term) => (
        <Chart key={term} {...{ term, runs, courses, smoothing, logarithmic }} />
      ))}
    </div>
  );
  return (
    <main>
      <h1 class="hidden">Runs compared</h1>
      <ul class="legend">
        {runs.map(({ id, state }, i) => (
          <li key={id}>
            <span class="swatch" style={{ background: colour(i) }} /> {id} <small>{STATE_WORDS[state]}</small>{' '}
            <button
              type="button"
              class="leave"
              aria-label={`Leave out ${id}`}
              onClick={() => {
                const next = new URLSearchParams(query);
                next.delete('run', id);
                setQuery('/compare', next);
              }}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
      {live.loaded && missing.length > 0 && <p class="trouble">No longer there: {missing.join(', ')}.</p>}
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <label>
          <span>Smoothing {smoothing}</span>
          <input
            type="range"
            min="0"
            max="0.99"
            step="0.01"
            value={smoothing}
            onInput={(event) =>
              change('smooth', event.currentTarget.value === '0' ? '' : event.currentTarget.value)
            }
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={logarithmic}
            onChange={(event) => change('scale', event.currentTarget.checked ? 'log' : '')}
          />
          Logarithmic
        </label>
      </form>
      {runs.length > 1 && <Differences runs={runs} />}
      {terms.length === 0 && <p>No step has been logged yet; curves appear with the first.</p>}
      {charts(main)}
      {more.length > 0 && (
        <details>
          <summary>{more.length} more curves</summary>
          {charts(more)}
        </details>
      )}
    </main>
  );
}

/** What the runs were judged by, and how they differ from the first on the samples that both were tested on. */
function Differences({ runs }: { runs: readonly RunSummary[] }) {
  const ids = new URLSearchParams(runs.map(({ id }) => ['run', id])).toString();
  const judged = runs.filter(({ results }) => results.length > 0).length > 1;
  const { answer, refused } = useAnswer<readonly RunDifference[]>(
    '/api/differences',
    judged ? ids : undefined,
  );
  if (!judged) return null;
  if (refused !== undefined) {
    return (
      <p class="trouble" role="alert">
        {refused}
      </p>
    );
  }
  if (answer === undefined) return <p role="status">Comparing the predictions …</p>;
  if (answer.length === 0) {
    return (
      <p class="count">
        No two of them were judged alike with their predictions kept, so there are no paired differences.
      </p>
    );
  }
  return (
    <details open>
      <summary>Differences from {answer[0]!.against}</summary>
      <section
        class="rows short"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by the keyboard
        tabIndex={0}
        aria-label="Paired differences"
      >
        <table class="plain">
          <thead>
            <tr>
              {['Run', 'Judged by', 'Metric', 'Difference', '95 % interval', 'p', 'Subjects'].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {answer.map(({ run, name, metric, value, low, high, pValue, subjects }) => (
              <tr key={`${run} ${name}`}>
                <td>{run}</td>
                <td>{name}</td>
                <td>{metric}</td>
                <td>{signed(value)}</td>
                <td>
                  {signed(low)} to {signed(high)}
                </td>
                <td>{pValue === null ? 'too few subjects' : pValue.toFixed(3)}</td>
                <td>{subjects}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p class="count">
        Paired bootstrap over the subjects that both were tested on; p is not corrected for the number of
        rows.
      </p>
    </details>
  );
}

const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;

/** The curves that are looked at first; gradients and speeds come on demand. */
function isMain(term: string): boolean {
  return !/^(gradient|pairsPerSecond|learningRate|featureDeviation|uniformity|retrievalPairs)/.test(term);
}

/** What is measured now and then is shown as it is: its average would lie far behind. */
const FEWEST_SMOOTHED = 50;

function colour(i: number): string {
  return PALETTE[i % PALETTE.length]!;
}

/** Reads what was measured in the runs, and goes on reading as they train. */
function useCourses(runs: readonly RunSummary[]): ReadonlyMap<string, Course> {
  const [courses, setCourses] = useState<ReadonlyMap<string, Course>>(new Map());
  const readers = useRef(new Map<string, Reader>());
  const stamps = runs.map(stampOf).join('\n');
  useEffect(() => {
    for (const run of runs) {
      const reader = readers.current.get(run.id) ?? new Reader(run.id);
      readers.current.set(run.id, reader);
      void reader.readUntil(stampOf(run), () => {
        setCourses(new Map([...readers.current].map(([id, { lines }]) => [id, lines])));
      });
    }
  }, [stamps]);
  return courses;
}

const stampOf = ({ id, written, steps }: RunSummary) => `${id} ${written} ${steps.done}`;

/** Reads the measurements of one run, one answer after the other. */
class Reader {
  lines: readonly MetricLine[] = [];
  readonly #run: string;
  #next = 0;
  #file = '';
  #wanted = '';
  #reading = false;

  constructor(run: string) {
    this.#run = run;
  }

  /** @param stamp the state of the run up to which it is to be read */
  async readUntil(stamp: string, onLines: () => void): Promise<void> {
    if (this.#wanted === stamp) return;
    this.#wanted = stamp;
    if (this.#reading) return; // it goes on by itself
    this.#reading = true;
    try {
      for (let read = ''; read !== this.#wanted; ) {
        read = this.#wanted;
        const query = new URLSearchParams({ run: this.#run, from: String(this.#next), file: this.#file });
        const response = await fetch(`/api/metrics?${query}`);
        if (!response.ok) break;
        const { lines, next, file, again } = (await response.json()) as MetricLines;
        this.lines = again ? lines : [...this.lines, ...lines];
        this.#next = next;
        this.#file = file;
        onLines();
      }
    } catch {
      this.#wanted = ''; // a server that has ended is told of elsewhere on the page
    } finally {
      this.#reading = false;
    }
  }
}

interface ChartProps {
  term: string;
  runs: readonly RunSummary[];
  courses: ReadonlyMap<string, Course>;
  smoothing: number;
  logarithmic: boolean;
}

function Chart({ term, runs, courses, smoothing, logarithmic }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const dark = useDark();
  const width = useWidth(box);
  const drawn = useMemo(() => {
    return runs.flatMap(({ id }, i) => {
      const course = courses.get(id) ?? [];
      const raw = curveOf(course, term);
      const chance = curveOf(course, `chance/${term}`);
      const line = { label: id, stroke: colour(i), width: 2, points: { size: 5, fill: colour(i) } };
      const faint = { ...line, label: '', stroke: `${colour(i)}40`, width: 1, points: { show: false } };
      const weight = raw.steps.length < FEWEST_SMOOTHED ? 0 : smoothing;
      return [
        ...(weight > 0 ? [{ curve: raw, line: faint }] : []),
        { curve: { ...raw, values: smoothed(raw.values, weight) }, line },
        ...(chance.steps.length > 0
          ? [{ curve: chance, line: { ...line, label: '', width: 1, dash: [4, 4], points: { show: false } } }]
          : []),
      ];
    });
  }, [runs, courses, term, smoothing]);
  const { steps, values } = useMemo(() => aligned(drawn.map(({ curve }) => curve)), [drawn]);
  const lines = drawn.map(({ line }) => JSON.stringify(line)).join();
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    if (box.current === null || width === 0) return;
    const axis = {
      stroke: dark ? '#a3acb8' : '#545c67',
      grid: { stroke: dark ? '#2a3038' : '#e6e9ee', width: 1 },
    };
    const made = new uPlot(
      {
        width,
        height: 220,
        legend: { show: false },
        cursor: { sync: { key: 'steps' } },
        scales: { x: { time: false }, y: { distr: logarithmic ? 3 : 1 } },
        axes: [
          axis,
          {
            ...axis,
            size: 64,
            values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : brief(tick))),
          },
        ],
        series: [{ label: 'step' }, ...drawn.map(({ line }) => ({ ...line, spanGaps: true }))],
      },
      [steps, ...values] as uPlot.AlignedData,
      box.current,
    );
    plot.current = made;
    return () => made.destroy();
  }, [width, dark, logarithmic, lines]);
  useEffect(() => plot.current?.setData([steps, ...values] as uPlot.AlignedData), [steps, values]);
  const hasChance = drawn.some(({ line }) => 'dash' in line);
  return (
    <figure>
      <h2>{term}</h2>
      <div ref={box} aria-hidden="true" />
      <figcaption>
        {runs.map(({ id }, i) => {
          const { steps: own, values: numbers } = curveOf(courses.get(id) ?? [], term);
          const last = numbers.at(-1);
          return last === undefined ? null : (
            <span key={id} class="last">
              <span class="swatch" style={{ background: colour(i) }} title={id} />
              <span class="hidden">{id}</span> {brief(last)} at step {own.at(-1)}
            </span>
          );
        })}
        {hasChance && 'Dashed: chance.'}
      </figcaption>
    </figure>
  );
}

function useDark(): boolean {
  const asked = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), []);
  const [dark, setDark] = useState(asked.matches);
  useEffect(() => {
    const follow = () => setDark(asked.matches);
    asked.addEventListener('change', follow);
    return () => asked.removeEventListener('change', follow);
  }, []);
  return dark;
}

function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (box.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return width;
}
