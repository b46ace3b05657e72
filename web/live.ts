/** The runs as the server knows them, kept up to date. */
import { useEffect, useState } from 'preact/hooks';
import type { RunSummary, RunsChange } from '../src/server/messages.js';

export interface Live {
  readonly root: string;
  readonly runs: readonly RunSummary[];
  /** Whether the first answer is there. */
  readonly loaded: boolean;
  /** What is wrong with the connection, in words. */
  readonly trouble?: string;
}

const ENDED =
  'The server has ended, or cannot be reached; this is what it said last. Start it again: anatomy serve';
const NO_TOKEN = 'This page was opened without the token; open the address that anatomy serve printed.';

/** Follows the runs until the page is closed, through restarts of the connection too. */
export function useRuns(): Live {
  const [live, setLive] = useState<Live>({ root: '', runs: [], loaded: false });
  useEffect(() => {
    let closed = false;
    const load = async () => {
      try {
        const response = await fetch('/api/runs');
        if (!response.ok) throw new Error(response.status === 401 ? NO_TOKEN : await response.text());
        const { root, runs } = (await response.json()) as Pick<Live, 'root' | 'runs'>;
        if (!closed) setLive({ root, runs: sorted(runs), loaded: true });
      } catch (error) {
        const trouble = error instanceof TypeError ? ENDED : (error as Error).message;
        if (!closed) setLive((before) => ({ ...before, trouble }));
      }
    };
    const events = new EventSource('/api/events');
    // After each break the list is read anew, as changes may have been missed.
    events.addEventListener('open', () => void load());
    events.addEventListener('change', (event) => {
      const { changed, removed } = JSON.parse((event as MessageEvent<string>).data) as RunsChange;
      const gone = new Set([...removed, ...changed.map(({ id }) => id)]);
      setLive((before) => ({
        ...before,
        runs: sorted([...before.runs.filter(({ id }) => !gone.has(id)), ...changed]),
      }));
    });
    events.addEventListener('error', () => void load());
    return () => {
      closed = true;
      events.close();
    };
  }, []);
  return live;
}

function sorted(runs: readonly RunSummary[]): RunSummary[] {
  return [...runs].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The part of the address after #, such as `/compare?run=a`. */
export function useAddress(): { path: string; query: URLSearchParams } {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  const [path = '/', query = ''] = hash.slice(1).split('?');
  return { path: path || '/', query: new URLSearchParams(query) };
}

/** Changes the query, which may be shared as a link. */
export function setQuery(path: string, query: URLSearchParams): void {
  const words = query.toString();
  history.replaceState(null, '', `#${path}${words && `?${words}`}`);
  // The browser tells of such a change by itself only later, and the next key may come before.
  dispatchEvent(new HashChangeEvent('hashchange'));
}
