import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ExplorerRun, Outline, Region, Similarity, SimilarityQuestion } from '../src/server/messages.js';
import { DataNotes } from './dataNotes.js';
import { type Look, WHOLE, zoomed } from './heat.js';
import { asked, type Live, leaving, setQuery, useAnswer, useSamples } from './live.js';
import { NearestCases } from './nearestCases.js';
import { SimilarityPanel } from './similarityPanel.js';
import { Volumes } from './volumes.js';
import type { Point } from './zoomable.js';

const GRIDS = [7, 14, 28] as const;

export function ExplorePage({ query }: { live: Live; query: URLSearchParams }) {
  const ids = query.getAll('run');
  const { opened, refused } = useSamples(ids);
  const first = ids.map((id) => opened.get(id)).find((run) => run !== undefined);
  const number = Math.trunc(Number(query.get('sample'))) || 0;
  const sample = Math.max(0, Math.min(number, (first?.samples.length ?? 1) - 1));
  const own = first?.samples[sample];
  // Another run may have been trained on other data, where the same place is another sample.
  const alike = ids.filter((id) => opened.get(id)?.samples[sample]?.id === own?.id);
  const map = Number(query.get('map') ?? usualMap(first?.sides ?? [])) || 0;
  const grid = Number(query.get('grid')) || 14;
  const region = useMemo(() => regionOf(query.get('at')), [query.get('at')]);
  const steps = stepsOf(alike.flatMap((id) => opened.get(id) ?? []));
  const step = steps.includes(Number(query.get('step'))) ? Number(query.get('step')) : undefined;
  const { answers, answered, trouble } = useSimilarity(own === undefined ? [] : alike, {
    ...{ sample, map, grid, region, step },
  });
  const place = own && new URLSearchParams({ run: alike[0]!, sample: String(sample) }).toString();
  const { answer: outline = [] } = useAnswer<Outline>('/api/outline', place);
  const [look, setLook] = useState<Look>(WHOLE);
  const [cursor, setCursor] = useState<Point>();
  const [blend, setBlend] = useState(0.6);

  const change = (...changes: readonly [name: string, value: string][]) => {
    const next = new URLSearchParams(query);
    for (const [name, value] of changes) next.set(name, value);
    setQuery('/explore', next);
  };
  const addressOf = (to: number) => {
    const next = new URLSearchParams(query);
    next.set('sample', String(to));
    return `#/explore?${next}`;
  };
  const toSample = (to: number) => {
    const count = first?.samples.length ?? 1;
    change(['sample', String((to + count) % count)]);
  };
  const point = (asked: Region) => {
    const places = [asked.left, asked.top, asked.right, asked.bottom];
    change(['at', places.map((place) => Number(Math.min(1, Math.max(0, place)).toFixed(4))).join(' ')]);
  };
  const move = (right: number, down: number) => {
    const middle = {
      x: (region.left + region.right) / 2 + right / grid,
      y: (region.top + region.bottom) / 2 + down / grid,
    };
    point({ left: middle.x, top: middle.y, right: middle.x, bottom: middle.y });
  };
  const keys: Readonly<Record<string, () => void>> = {
    n: () => toSample(sample + 1),
    p: () => toSample(sample - 1),
    m: () => change(['map', String((map + 1) % (first?.sides.length ?? 1))]),
    g: () => change(['grid', String(GRIDS[(GRIDS.indexOf(grid as 7) + 1) % GRIDS.length])]),
    ArrowLeft: () => move(-1, 0),
    ArrowRight: () => move(1, 0),
    ArrowUp: () => move(0, -1),
    ArrowDown: () => move(0, 1),
    '0': () => setLook(WHOLE),
    '+': () => setLook(zoomed(look, 1.25, look)),
    '-': () => setLook(zoomed(look, 0.8, look)),
  };

  const left = ids.filter((id) => opened.has(id) && !alike.includes(id));
  return (
    <main>
      <h1 class="hidden">What the encoders see</h1>
      {[...refused, ...(trouble === undefined ? [] : [trouble])].map((words) => (
        <p key={words} class="trouble" role="alert">
          {words}
        </p>
      ))}
      {left.length > 0 && <p class="trouble">Left out, as their data is another: {left.join(', ')}.</p>}
      {first === undefined && refused.length === 0 && <p role="status">Opening the run and its images …</p>}
      {first !== undefined && own !== undefined && (
        <>
          <form class="controls" onSubmit={(event) => event.preventDefault()}>
            <fieldset>
              <legend>Sample</legend>
              <button
                type="button"
                class="step"
                aria-label="Previous sample"
                onClick={() => toSample(sample - 1)}
              >
                ‹
              </button>
              <input
                list="samples"
                aria-label="Sample"
                key={own.id}
                defaultValue={own.id}
                onChange={(event) => {
                  const found = first.samples.findIndex(({ id }) => id === event.currentTarget.value);
                  if (found >= 0) toSample(found);
                }}
              />
              <datalist id="samples">
                {first.samples.map(({ id }) => (
                  <option key={id} value={id} />
                ))}
              </datalist>
              <button
                type="button"
                class="step"
                aria-label="Next sample"
                onClick={() => toSample(sample + 1)}
              >
                ›
              </button>
            </fieldset>
            <label>
              Map
              <select value={map} onChange={(event) => change(['map', event.currentTarget.value])}>
                {first.sides.map((side, i) => (
                  <option key={side} value={i}>
                    {i}, {side}²
                  </option>
                ))}
              </select>
            </label>
            <label>
              Patches
              <select value={grid} onChange={(event) => change(['grid', event.currentTarget.value])}>
                {[...new Set([...GRIDS, grid])].map((one) => (
                  <option key={one} value={one}>
                    {one} × {one}
                  </option>
                ))}
              </select>
            </label>
            {steps.length > 0 && (
              <label>
                <span>Checkpoint: {step === undefined ? 'the encoder at last' : `step ${step}`}</span>
                <input
                  type="range"
                  min="0"
                  max={steps.length}
                  step="1"
                  value={step === undefined ? steps.length : steps.indexOf(step)}
                  aria-valuetext={step === undefined ? 'the encoder at last' : `step ${step}`}
                  onInput={(event) => {
                    const next = new URLSearchParams(query);
                    const chosen = steps[Number(event.currentTarget.value)];
                    if (chosen === undefined) next.delete('step');
                    else next.set('step', String(chosen));
                    setQuery('/explore', next);
                  }}
                />
              </label>
            )}
            <fieldset>
              <legend>Enlarge</legend>
              {(
                [
                  ['Smaller', '−', () => setLook(zoomed(look, 0.8, look))],
                  ['whole image', 'whole', () => setLook(WHOLE)],
                  ['Larger', '+', () => setLook(zoomed(look, 1.25, look))],
                ] as const
              ).map(([name, sign, action]) => (
                <button key={name} type="button" class="step" aria-label={name} onClick={action}>
                  {sign}
                </button>
              ))}
            </fieldset>
            <label>
              <span>Image and similarity</span>
              <input
                type="range"
                min="0"
                max="1"
                step="0.05"
                value={blend}
                onInput={(event) => setBlend(Number(event.currentTarget.value))}
              />
            </label>
          </form>
          <p class="count">
            {own.label !== undefined && `${own.label}, `}subject {own.subject}, {sample + 1} of{' '}
            {first.samples.length}. Click a place, or drag over one; n and p: samples, arrows: the place, m:
            map, g: patches, wheel: zoom, 0: whole.
          </p>
          {/* The keys are for who is in here, so that the page keeps those that it has. */}
          <section
            class={answered === sample ? 'sources' : 'sources waiting'}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes the keys
            tabIndex={0}
            aria-label="Images and similarities. Keys: n and p for samples, arrows for the place, m map, g patches, plus, minus and 0 to enlarge."
            onKeyDown={(event) => {
              const action = keys[event.key];
              if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
              event.preventDefault();
              action();
            }}
          >
            {answers.map((answer) => (
              <section key={answer.source} class="source" aria-label={answer.source}>
                <h2>
                  {answer.source === 'pixels' ? 'The pixels themselves' : answer.source}{' '}
                  {answer.step !== undefined && answer.source !== 'pixels' && `at step ${answer.step} `}
                  <small>{agreementWords(answer)}</small>
                </h2>
                <div class="panels">
                  {Object.entries(answer.maps).map(([modality, values]) => (
                    <SimilarityPanel
                      key={modality}
                      {...{ answer, values, modality, region, look, cursor, blend, outline }}
                      address={`/api/image?${new URLSearchParams({ run: answer.source === 'pixels' ? alike[0]! : answer.source, sample: String(answered), modality })}`}
                      onLook={setLook}
                      onCursor={setCursor}
                      onPoint={point}
                    />
                  ))}
                </div>
              </section>
            ))}
          </section>
          {own.volume !== undefined && (
            <Volumes run={alike[0]!} samples={first.samples} {...{ sample, toSample }} />
          )}
          <DataNotes runs={opened.values()} />
          {outline.length > 0 && <p class="count">Magenta: the outline of the lesion.</p>}
          {alike.map((id) => (
            <section key={id} aria-label={`Nearest cases to ${id}`}>
              {alike.length > 1 && <h2>{id}</h2>}
              <NearestCases run={id} {...{ sample, addressOf }} samples={first.samples} />
            </section>
          ))}
        </>
      )}
    </main>
  );
}

function agreementWords({ agreement, chance, maps }: Similarity): string {
  if (agreement === null) {
    return Object.keys(maps).length < 2
      ? 'one image, so nothing to agree'
      : 'nothing to agree outside the region, or all alike';
  }
  const other = chance === null ? '' : `; with images of other subjects ${chance.toFixed(2)}`;
  return `the images agree by ${agreement.toFixed(2)} (rank correlation)${other}`;
}

/** The deepest map that still has so many places on a side. */
const FEWEST_PLACES = 7;

function usualMap(sides: readonly number[]): number {
  return Math.max(0, sides.filter((side) => side >= FEWEST_PLACES).length - 1);
}

/** The steps of which any of the runs has a checkpoint, ascending. */
function stepsOf(runs: readonly ExplorerRun[]): number[] {
  return [...new Set(runs.flatMap(({ steps }) => steps))].sort((a, b) => a - b);
}

const CENTRE: Region = { left: 0.5, top: 0.5, right: 0.5, bottom: 0.5 };

function regionOf(words: string | null): Region {
  const [left, top, right, bottom] = (words ?? '').split(' ').map(Number);
  if ([left, top, right, bottom].some((place) => place === undefined || !(place >= 0 && place <= 1)))
    return CENTRE;
  return { left: left!, top: top!, right: right!, bottom: bottom! };
}

function useSimilarity(
  runs: readonly string[],
  { sample, map, grid, region, step }: SimilarityQuestion & { step: number | undefined },
): { answers: readonly Similarity[]; answered: number; trouble?: string } {
  const [found, setFound] = useState<{ answers: readonly Similarity[]; answered: number; trouble?: string }>({
    answers: [],
    answered: -1,
  });
  const { left, top, right, bottom } = region;
  const numbers = { sample, map, grid, left, top, right, bottom, ...(step !== undefined && { step }) };
  const query = new URLSearchParams([
    ...runs.map((run) => ['run', run]),
    ...Object.entries(numbers).map(([name, value]) => [name, String(value)]),
  ]).toString();
  useEffect(() => {
    if (runs.length === 0) return;
    const { signal, abort } = leaving();
    const ask = async () => {
      const answer = await asked<Similarity[]>('/api/similarity', query, signal);
      if (signal.aborted) return;
      setFound(
        'refused' in answer
          ? { answers: [], answered: sample, trouble: answer.refused }
          : { answers: answer.answer, answered: sample },
      );
    };
    void ask();
    return abort;
  }, [query]);
  return found;
}
