import { render } from 'preact';
import { CasesPage } from './casesPage.js';
import { ComparePage } from './comparePage.js';
import { DataPage } from './dataPage.js';
import { ExplorePage } from './explorePage.js';
import { useAddress, useRuns } from './live.js';
import { RunsPage } from './runsPage.js';

/** The pages of chosen runs, by their address. They are shown once a run is chosen, or where none is needed. */
const PAGES: Readonly<Record<string, { name: string; page: typeof ComparePage }>> = {
  '/compare': { name: 'Compare', page: ComparePage },
  '/explore': { name: 'Explore', page: ExplorePage },
  '/cases': { name: 'Cases', page: CasesPage },
  '/data': { name: 'Data', page: DataPage },
};

function Page() {
  const live = useRuns();
  const { path, query } = useAddress();
  const Shown = PAGES[path]?.page;
  /** Data that the server was started with need no run. */
  const needsNoRun = (own: string) => own === '/data' && live.data !== null;
  return (
    <>
      <header>
        <a class="home" href="#/">
          <img src="/icon.svg" alt="" width="20" height="20" /> anatomy
        </a>
        <nav aria-label="Pages">
          <a href="#/" aria-current={path === '/' ? 'page' : undefined}>
            Runs
          </a>
          {Object.entries(PAGES).map(([own, { name }]) => {
            // The chosen runs go along.
            const runs = new URLSearchParams(query.getAll('run').map((id) => ['run', id]));
            return path === own || runs.size > 0 || needsNoRun(own) ? (
              <a key={own} href={`#${own}?${runs}`} aria-current={path === own ? 'page' : undefined}>
                {name}
              </a>
            ) : null;
          })}
        </nav>
      </header>
      {live.trouble !== undefined && (
        <p class="trouble" role="alert">
          {live.trouble}
        </p>
      )}
      {Shown === undefined ? (
        <RunsPage live={live} query={query} />
      ) : query.has('run') || needsNoRun(path) ? (
        <Shown live={live} query={query} />
      ) : (
        live.loaded && <NothingChosen name={PAGES[path]!.name} />
      )}
    </>
  );
}

function NothingChosen({ name }: { name: string }) {
  return (
    <main>
      <h1>No run is chosen</h1>
      <p>
        Choose one or several in the <a href="#/">list</a>, then {name}.
      </p>
    </main>
  );
}

render(<Page />, document.getElementById('page')!);
