import { useEffect, useMemo, useState } from 'preact/hooks';
import { type CaseMap, type ExplorerSample, PROJECTIONS } from '../src/server/messages.js';
import { CaseTable } from './caseTable.js';
import { DataNotes } from './dataNotes.js';
import { type Live, setQuery, useAnswer, useSamples } from './live.js';
import { colouring, dropList, placed } from './scatter.js';
import { MARKS, ScatterPlot } from './scatterPlot.js';

const NAMES = { pca: 'PCA', umap: 'UMAP', tsne: 't-SNE' } as const;

/** The links of a lasso that are listed. */
const LISTED = 100;

export function CasesPage({ live: { isPublic }, query }: { live: Live; query: URLSearchParams }) {
  const runs = query.getAll('run');
  const run = runs[0]!;
  const { opened, refused } = useSamples([run]);
  const samples = opened.get(run)?.samples;
  const kind = query.get('map') ?? 'pca';
  const features = query.get('features') ?? 'pooled';
  const asked = new URLSearchParams({ run, kind, features }).toString();
  const { answer: map, refused: trouble } = useAnswer<CaseMap>('/api/cases', asked);
  const columns = Object.keys(map?.columns ?? {});
  const by = columns.includes(query.get('by') ?? '') ? query.get('by')! : (columns[0] ?? '');
  const points = useMemo(() => placed(Object.values(map?.points ?? {})), [map]);
  const words = map?.columns[by];
  const colours = useMemo(() => colouring(by, words ?? (samples ?? []).map(() => '')), [by, words, samples]);
  const [chosen, setChosen] = useState<readonly number[]>([]);
  const [shown, setShown] = useState<number>();
  useEffect(() => setChosen([]), [map]);
  const change = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    next.set(name, value);
    setQuery('/cases', next);
  };
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
          <ScatterPlot
            {...{ run, points, colours: colours.colours, samples, chosen, shown }}
            onChoose={setChosen}
            onShow={setShown}
          >
            {chosen.length > 0 && (
              <Chosen {...{ run, samples, chosen, isPublic }} onClear={() => setChosen([])} />
            )}
          </ScatterPlot>
          <DataNotes runs={opened.values()} />
          <CaseTable
            {...{ run, samples, chosen, shown }}
            columns={map.columns}
            onChoose={setChosen}
            onShow={setShown}
          />
        </>
      )}
    </main>
  );
}

function Chosen(props: {
  run: string;
  samples: readonly ExplorerSample[];
  chosen: readonly number[];
  isPublic: boolean;
  onClear: () => void;
}) {
  const { run, samples, chosen, isPublic, onClear } = props;
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
      {/* Pseudonyms leave nothing out. */}
      {!isPublic && (
        <p class="count">
          The file is a list of samples to leave out too: <code>--set data.drop=chosen.csv</code>
        </p>
      )}
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
