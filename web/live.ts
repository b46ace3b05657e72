/** The runs as the server knows them, kept up to date. */
import { useEffect, useState } from 'preact/hooks';
import type { ExplorerRun, Listing, RunSummary, RunsChange } from '../src/server/messages.js';

export interface Live extends Listing {
  /** Whether the first answer is there. */
  readonly loaded: boolean;
  /** What is wrong with the connection, in words. */
  readonly trouble?: string;
}

const ENDED =
  'The server has ended, or cannot be reached; this is what it said last. Start it again: anatomy serve';
const NO_TOKEN = 'This page was opened without the token; open the address that anatomy serve printed.';

export const NO_ANSWER = 'The server does not answer.';

/** Follows the runs until the page is closed, through breaks of the connection too. */
export function useRuns(): Live {
  const [live, setLive] = useState<Live>({ root: '', isPublic: false, data: null, runs: [], loaded: false });
  useEffect(() => {
    let events: EventSource | undefined;
    const tellTrouble = async () => {
      let trouble: string | undefined = ENDED;
      try {
        const response = await fetch('/api/runs');
        trouble = response.ok ? undefined : response.status === 401 ? NO_TOKEN : await response.text();
      } catch {
        // The server cannot be reached.
      }
      setLive(({ trouble: _, ...before }) => (trouble === undefined ? before : { ...before, trouble }));
    };
    const open = () => {
      events = new EventSource('/api/events');
      // The whole list comes first, and again after each break.
      events.addEventListener('runs', (event) => {
        const listing = JSON.parse((event as MessageEvent<string>).data) as Listing;
        setLive({ ...listing, runs: sorted(listing.runs), loaded: true });
      });
      events.addEventListener('change', (event) => {
        const { changed, removed } = JSON.parse((event as MessageEvent<string>).data) as RunsChange;
        const gone = new Set([...removed, ...changed.map(({ id }) => id)]);
        setLive((before) => ({
          ...before,
          runs: sorted([...before.runs.filter(({ id }) => !gone.has(id)), ...changed]),
        }));
      });
      events.addEventListener('error', () => void tellTrouble());
    };
    // A browser holds six connections to a server, and each page that listens takes one.
    const follow = () => {
      events?.close();
      if (!document.hidden) open();
    };
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      events?.close();
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

/** The samples of each run, as they come in. */
export function useSamples(ids: readonly string[]): {
  opened: ReadonlyMap<string, ExplorerRun>;
  refused: readonly string[];
} {
  const [found, setFound] = useState<{
    opened: ReadonlyMap<string, ExplorerRun>;
    refused: readonly string[];
  }>({
    opened: new Map(),
    refused: [],
  });
  useEffect(() => {
    const { signal, abort } = leaving();
    const opened = new Map<string, ExplorerRun>();
    const refused: string[] = [];
    const open = async () => {
      for (const run of ids) {
        const answer = await asked<ExplorerRun>('/api/samples', new URLSearchParams({ run }), signal);
        if (signal.aborted) return;
        if ('refused' in answer) refused.push(answer.refused);
        else opened.set(run, answer.answer);
        setFound({ opened: new Map(opened), refused: [...refused] });
      }
    };
    void open();
    return abort;
  }, [ids.join('\n')]);
  return found;
}

/** The answer to a question; undefined until it is there, or where there is nothing to ask. */
export function useAnswer<T>(path: string, query: string | undefined): { answer?: T; refused?: string } {
  const [found, setFound] = useState<{ to?: string; answer?: T; refused?: string }>({});
  const key = query === undefined ? undefined : `${path}?${query}`;
  useEffect(() => {
    if (query === undefined) return;
    const { signal, abort } = leaving();
    void asked<T>(path, query, signal).then((answer) => {
      if (!signal.aborted) setFound({ to: `${path}?${query}`, ...answer });
    });
    return abort;
  }, [key]);
  return found.to === key ? found : {};
}

/** Asks the server. `refused` is what it says is wrong. @param signal nobody waits for the answer any more */
export async function asked<T>(
  path: string,
  query: URLSearchParams | string,
  signal: AbortSignal,
): Promise<{ answer: T } | { refused: string }> {
  try {
    const response = await fetch(`${path}?${query}`, { signal });
    return response.ok ? { answer: (await response.json()) as T } : { refused: await response.text() };
  } catch {
    return { refused: NO_ANSWER };
  }
}

/** Ends the questions of an effect that is over. */
export function leaving(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
