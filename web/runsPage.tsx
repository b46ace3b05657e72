import type { ComponentChildren } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { ExperimentSummary, RunState, RunSummary } from '../src/server/messages.js';
import { ExperimentRow, ProblemRow } from './experimentRow.js';
import { Gap } from './gap.js';
import {
  differingSettings,
  experimentOf,
  type Group,
  matches,
  resultKey,
  resultOf,
  type Section,
  sectionsOf,
} from './grouping.js';
import { type Live, setQuery } from './live.js';
import { ago, brief, duration, fileSize, numbered, STATE_WORDS } from './words.js';

/** In the order of rows that are sorted by it: what is at work first. */
const STATES = Object.keys(STATE_WORDS) as RunState[];

/** Rows outside the window are not in the page, so that a thousand scroll smoothly. */
const ROW_HEIGHT = 44;
const ROWS_AROUND = 12;

interface Column {
  readonly name: string;
  readonly title: ComponentChildren;
  readonly number?: boolean;
  readonly cell: (group: Group) => ComponentChildren;
  /** What rows are sorted by; rows without it come last. */
  readonly order: (group: Group) => number | string | undefined;
}

export function RunsPage({ live, query }: { live: Live; query: URLSearchParams }) {
  const search = query.get('search') ?? '';
  const state = query.get('state') ?? '';
  const grouped = query.get('seeds') !== 'apart';
  const change = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    if (value === '') next.delete(name);
    else next.set(name, value);
    setQuery('/', next);
  };
  const results = useMemo(() => resultKeys(live.runs, live.experiments), [live.runs, live.experiments]);
  const result = query.get('result') ?? results[0] ?? '';
  const filtered = search !== '' || state !== '';
  const shown = useMemo(
    () =>
      live.runs.filter(
        (run) =>
          (state === '' || run.state === state) &&
          matches(run, search, experimentOf(run, live.experiments)?.name),
      ),
    [live.runs, live.experiments, search, state],
  );
  const columns = useMemo(() => columnsOf(shown, result), [shown, result]);
  const sections = useMemo(() => {
    const all = sectionsOf(shown, live.experiments, grouped);
    // A search leaves an experiment without its runs, unless it is what is searched.
    const kept = all.filter(
      ({ experiment, groups }) =>
        !filtered || groups.length > 0 || (state === '' && named(experiment!, search)),
    );
    return sortedSections(kept, columns, query.get('sort') ?? '');
  }, [shown, live.experiments, grouped, filtered, columns, query.get('sort')]);
  const closed = query.getAll('closed');
  const toggle = (id: string) => {
    const next = new URLSearchParams(query);
    next.delete('closed');
    for (const one of closed.includes(id) ? closed.filter((other) => other !== id) : [...closed, id])
      next.append('closed', one);
    setQuery('/', next);
  };
  // What a search finds is shown, also of an experiment that is closed.
  const isOpen = ({ id }: ExperimentSummary) => filtered || !closed.includes(id);
  const groups = sections.flatMap((section) => section.groups);
  const experiments = sections.flatMap(({ experiment }) => experiment ?? []);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const choose = (runs: readonly RunSummary[], on: boolean) => {
    const next = new Set(chosen);
    for (const { id } of runs)
      if (on) next.add(id);
      else next.delete(id);
    setChosen(next);
  };
  if (live.loaded && live.runs.length + live.experiments.length === 0)
    return <Nothing {...live} root={live.root || 'runs'} />;
  const compared = live.runs.filter(({ id }) => chosen.has(id));
  const words = new URLSearchParams(compared.map(({ id }) => ['run', id]));
  return (
    <main>
      <h1 class="hidden">Runs</h1>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search
          <input
            type="search"
            value={search}
            placeholder="folder, method, setting=value"
            onInput={(event) => change('search', event.currentTarget.value)}
          />
        </label>
        <label>
          State
          <select value={state} onChange={(event) => change('state', event.currentTarget.value)}>
            <option value="">any</option>
            {STATES.map((one) => (
              <option value={one}>{STATE_WORDS[one]}</option>
            ))}
          </select>
        </label>
        {results.length > 0 && (
          <label>
            Result
            <select value={result} onChange={(event) => change('result', event.currentTarget.value)}>
              {results.map((one) => (
                <option value={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
        <label class="check">
          <input
            type="checkbox"
            checked={grouped}
            onChange={(event) => change('seeds', event.currentTarget.checked ? '' : 'apart')}
          />
          Seeds as one row
        </label>
        {(['Compare', 'Explore', 'Cases', 'Data'] as const).map((name) => (
          <a
            key={name}
            class={compared.length > 0 ? 'button' : 'button off'}
            href={compared.length > 0 ? `#/${name.toLowerCase()}?${words}` : undefined}
          >
            {name}
            {compared.length > 0 && ` ${compared.length}`}
          </a>
        ))}
      </form>
      <p class="count" role="status">
        {shown.length === live.runs.length ? live.runs.length : `${shown.length} of ${live.runs.length}`} runs
        {groups.length < shown.length && `, ${groups.length} configurations`}
        {experiments.length > 0 && `, ${numbered(experiments.length, 'experiment')}`}{' '}
        {live.root !== '' && `in ${live.root}`}
      </p>
      {sections.length === 0 && live.loaded ? (
        <p>No run is like that. Clear the search, or choose another state.</p>
      ) : (
        <Rows
          lines={linesOf(sections, isOpen)}
          columns={columns}
          sort={query.get('sort') ?? ''}
          onSort={(name) => change('sort', name)}
          chosen={chosen}
          onChoose={choose}
          onToggle={filtered ? undefined : toggle}
        />
      )}
    </main>
  );
}

/** What stands in a line of the table. */
type Line =
  | { readonly kind: 'experiment'; readonly section: Section; readonly open: boolean }
  | { readonly kind: 'problem'; readonly words: string }
  | { readonly kind: 'group'; readonly group: Group; readonly inside: boolean };

function linesOf(sections: readonly Section[], isOpen: (experiment: ExperimentSummary) => boolean): Line[] {
  return sections.flatMap((section): Line[] => {
    const { experiment } = section;
    const groups = section.groups.map(
      (group): Line => ({ kind: 'group', group, inside: experiment !== undefined }),
    );
    if (experiment === undefined) return groups;
    const open = isOpen(experiment);
    const problems = experiment.problems.map((words): Line => ({ kind: 'problem', words }));
    return [{ kind: 'experiment', section, open }, ...(open ? [...problems, ...groups] : [])];
  });
}

/** Whether a search is for an experiment itself. */
function named({ id, name }: ExperimentSummary, search: string): boolean {
  const text = `${id} ${name}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function resultKeys(runs: readonly RunSummary[], experiments: readonly ExperimentSummary[]): string[] {
  const all = [...runs, ...experiments.flatMap(({ rows }) => rows)].flatMap(({ results }) => results);
  return [...new Set(all.map(resultKey))].sort();
}

function Rows(props: {
  lines: readonly Line[];
  columns: readonly Column[];
  sort: string;
  onSort: (name: string) => void;
  chosen: ReadonlySet<string>;
  onChoose: (runs: readonly RunSummary[], on: boolean) => void;
  /** Undefined while a search decides what is open. */
  onToggle: ((id: string) => void) | undefined;
}) {
  const { lines, columns, sort, onSort, chosen, onChoose, onToggle } = props;
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const visible = Math.ceil((box.current?.clientHeight ?? 800) / ROW_HEIGHT);
  const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - ROWS_AROUND);
  const last = Math.min(lines.length, first + visible + 2 * ROWS_AROUND);
  return (
    <section
      class="rows"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by the keyboard
      tabIndex={0}
      aria-label="Runs"
      ref={box}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <table aria-rowcount={lines.length + 1}>
        <thead>
          <tr>
            <th>
              <span class="hidden">Choose</span>
            </th>
            {columns.map(({ name, title, number }) => (
              <th
                class={number ? 'number' : ''}
                aria-sort={sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : 'none'}
              >
                <button type="button" onClick={() => onSort(sort === `-${name}` ? name : `-${name}`)}>
                  {title}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Gap height={first * ROW_HEIGHT} />
          {lines.slice(first, last).map((line, i) => {
            const place = first + i + 2;
            if (line.kind === 'problem') {
              return (
                <ProblemRow
                  key={`problem ${place}`}
                  words={line.words}
                  {...{ place, span: columns.length }}
                />
              );
            }
            if (line.kind === 'experiment') {
              const { section, open } = line;
              const runs = section.groups.flatMap((group) => group.runs);
              return (
                <ExperimentRow
                  key={`experiment ${section.key}`}
                  experiment={section.experiment!}
                  {...{ open, place, span: columns.length, onToggle }}
                >
                  <Choice name={section.experiment!.name} {...{ runs, chosen, onChoose }} />
                </ExperimentRow>
              );
            }
            const { group, inside } = line;
            return (
              <tr key={group.key} aria-rowindex={place} class={inside ? 'inside' : undefined}>
                <td>
                  <Choice name={group.row ?? group.key} runs={group.runs} {...{ chosen, onChoose }} />
                </td>
                {columns.map(({ name, number, cell }) => (
                  <td key={name} class={number ? 'number' : ''}>
                    {cell(group)}
                  </td>
                ))}
              </tr>
            );
          })}
          <Gap height={(lines.length - last) * ROW_HEIGHT} />
        </tbody>
      </table>
    </section>
  );
}

function Choice(props: {
  name: string;
  runs: readonly RunSummary[];
  chosen: ReadonlySet<string>;
  onChoose: (runs: readonly RunSummary[], on: boolean) => void;
}) {
  const { name, runs, chosen, onChoose } = props;
  return (
    <input
      type="checkbox"
      aria-label={`Choose ${name}`}
      disabled={runs.length === 0}
      checked={runs.length > 0 && runs.every(({ id }) => chosen.has(id))}
      onChange={(event) => onChoose(runs, event.currentTarget.checked)}
    />
  );
}

function columnsOf(runs: readonly RunSummary[], result: string): Column[] {
  const one = (group: Group) => (group.runs.length === 1 ? group.runs[0] : undefined);
  const settings = differingSettings(runs).filter((name) => name !== 'method.name');
  return [
    {
      name: 'run',
      title: 'Run',
      cell: (group) => <Names group={group} />,
      order: ({ key }) => key,
    },
    {
      name: 'state',
      title: 'State',
      cell: ({ runs: own }) => <States runs={own} />,
      order: ({ runs: own }) => Math.min(...own.map(({ state }) => STATES.indexOf(state))),
    },
    {
      name: 'method',
      title: 'Method',
      cell: ({ runs: own }) => own[0]!.method ?? '–',
      order: ({ runs: own }) => own[0]!.method,
    },
    ...(result === ''
      ? []
      : [
          {
            name: 'result',
            title: result,
            number: true,
            cell: (group: Group) => <Interval group={group} result={result} />,
            order: (group: Group) => resultOf(group, result)?.value,
          },
        ]),
    {
      name: 'loss',
      title: 'Loss',
      number: true,
      cell: (group) => {
        const loss = one(group)?.loss ?? null;
        return loss === null ? '–' : brief(loss);
      },
      order: (group) => one(group)?.loss ?? undefined,
    },
    {
      name: 'seed',
      title: 'Seed',
      number: true,
      cell: ({ runs: own }) => {
        const seeds = new Set(own.map(({ seed }) => seed));
        return seeds.size > 1 ? `${seeds.size} seeds` : (own[0]!.seed ?? '–');
      },
      order: ({ runs: own }) => own[0]!.seed,
    },
    ...settings.map(
      (name): Column => ({
        name,
        title: <code>{name}</code>,
        cell: ({ runs: own }) => own[0]!.settings[name] ?? '–',
        order: ({ runs: own }) => {
          const value = own[0]!.settings[name];
          return value === undefined || value.trim() === '' || Number.isNaN(Number(value))
            ? value
            : Number(value);
        },
      }),
    ),
    {
      name: 'disk',
      title: 'Disk',
      number: true,
      cell: ({ runs: own }) => fileSize(own.reduce((sum, { bytes }) => sum + bytes, 0)),
      order: ({ runs: own }) => own.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    {
      name: 'written',
      title: 'Written',
      number: true,
      cell: ({ runs: own }) => ago(Date.now() - Math.max(...own.map(({ written }) => written))),
      order: ({ runs: own }) => Math.max(...own.map(({ written }) => written)),
    },
  ];
}

/** Sorts the rows of each experiment, and the experiments and other rows by the first of each. */
function sortedSections(sections: readonly Section[], columns: readonly Column[], sort: string): Section[] {
  const inside = sections.map((section) => ({ ...section, groups: sorted(section.groups, columns, sort) }));
  const place = new Map(
    sorted(
      inside.flatMap(({ groups }) => groups[0] ?? []),
      columns,
      sort,
    ).map((group, i) => [group, i]),
  );
  if (columnNamed(columns, sort) === undefined) return inside;
  const placeOf = ({ groups: [first] }: Section) => (first === undefined ? place.size : place.get(first)!);
  return inside.sort((a, b) => placeOf(a) - placeOf(b));
}

/** Sorts by a column's name, with `-` before it for the largest first. */
function sorted(groups: readonly Group[], columns: readonly Column[], sort: string): Group[] {
  const down = sort.startsWith('-');
  const column = columnNamed(columns, sort);
  if (column === undefined) return [...groups];
  return [...groups].sort((a, b) => {
    const [x, y] = [column.order(a), column.order(b)];
    if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? 1 : -1;
    const comes = typeof x === 'number' && typeof y === 'number' ? x - y : String(x) < String(y) ? -1 : 1;
    return down ? -comes : comes;
  });
}

function columnNamed(columns: readonly Column[], sort: string): Column | undefined {
  return columns.find(({ name }) => name === sort.replace(/^-/, ''));
}

function Names({ group: { runs, row } }: { group: Group }) {
  const [first] = runs;
  const address = `#/compare?${new URLSearchParams(runs.map(({ id }) => ['run', id]))}`;
  return (
    <>
      <a href={address} title={runs.map(({ id }) => id).join('\n')}>
        {row ?? first!.id}
      </a>
      {runs.length > 1 && row === undefined && ` and ${runs.length - 1} more`}
      {runs.length === 1 && first!.report && (
        <>
          {' '}
          <a
            class="report"
            href={`/report?${new URLSearchParams({ run: first!.id })}`}
            target="_blank"
            rel="noreferrer"
          >
            report
          </a>
        </>
      )}
    </>
  );
}

function States({ runs }: { runs: readonly RunSummary[] }) {
  return (
    <>
      {STATES.map((state) => {
        const own = runs.filter((run) => run.state === state);
        const [first] = own;
        if (first === undefined) return null;
        const left = Math.max(...own.map(({ secondsLeft }) => secondsLeft ?? 0));
        const { done, planned } = first.steps;
        const share =
          own.length === 1 && planned !== null && state !== 'finished' ? ` ${done}/${planned}` : '';
        return (
          <span
            class={`state ${state}`}
            title={
              own
                .map(({ problem }) => problem ?? '')
                .join('\n')
                .trim() || undefined
            }
          >
            {own.length > 1 && `${own.length} `}
            {STATE_WORDS[state]}
            {share}
            {left > 0 && <small> {duration(left)} left</small>}
          </span>
        );
      })}
    </>
  );
}

function Interval({ group, result }: { group: Group; result: string }) {
  const found = resultOf(group, result);
  if (found === undefined) return <>–</>;
  const { value, low, high, runs } = found;
  const of = runs > 1 ? `mean of ${runs} runs, 95 % interval of the mean` : '95 % interval over subjects';
  return (
    <span title={low === null ? undefined : of}>
      {value.toFixed(3)}
      {low !== null && high !== null && (
        <small>
          {' '}
          [{low.toFixed(3)}, {high.toFixed(3)}]
        </small>
      )}
    </span>
  );
}

function Nothing({ root, data }: Live) {
  return (
    <main>
      <h1>No runs yet</h1>
      <p>
        There is no run in <code>{root}</code>. This page shows one as soon as it begins:
      </p>
      <pre>
        anatomy pretrain --data {data || 'manifest.csv'} --out {root}/first
      </pre>
      {data !== null && (
        <p>
          Before that, <a href="#/data">look at the data {data}</a>: what is wrong with them, and what to
          leave out.
        </p>
      )}
      <p>
        Runs elsewhere? Give their folder: <code>anatomy serve FOLDER</code>.
      </p>
    </main>
  );
}
