import { render } from 'preact';
import { ComparePage } from './comparePage.js';
import { useAddress, useRuns } from './live.js';
import { RunsPage } from './runsPage.js';

function Page() {
  const live = useRuns();
  const { path, query } = useAddress();
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
          {path === '/compare' && (
            <a href={location.hash} aria-current="page">
              Compare
            </a>
          )}
        </nav>
      </header>
      {live.trouble !== undefined && (
        <p class="trouble" role="alert">
          {live.trouble}
        </p>
      )}
      {path === '/compare' ? (
        <ComparePage live={live} query={query} />
      ) : (
        <RunsPage live={live} query={query} />
      )}
    </>
  );
}

render(<Page />, document.getElementById('page')!);
