/** The runs as the server knows them, kept up to date. */
import { useEffect, useState } from 'preact/hooks';
import type { ExplorerRun, RunSummary, RunsChange, RunsList } from '../src/server/messages.js';

export interface Live extends RunsList {
  /** Whether the first answer is there. */
  readonly loaded: boolean;
  /** What is wrong with the connection, in words. */
  readonly trouble?: string;
}

const NO_TOKEN = 'This page was opened without the token; open the address that anatomy serve printed.';
const ANOTHER_TOKEN =
  'The server was started again, with another token. Open the address that it printed, in this tab or another of this browser, and this page goes on with all that you have decided.';

/** How long the page waits before it asks a server that has refused it, in milliseconds. */
const AGAIN_MS = 3000;

/** The server is gone: what to do, so that this very page goes on. */
function endedWords({ root, isPublic }: RunsList): string {
  const gone = 'The server has ended, or cannot be reached; this is what it said last.';
  if (isPublic) return `${gone} Ask whoever serves it to start it again.`;
  const folder = /^[\w./:=,@+-]+$/.test(root) ? root : `'${root.replaceAll("'", "'\\''")}'`;
  const port = location.port === '' ? '80' : location.port;
  return `${gone} Your decisions stay in this tab. Start it again at the same port: anatomy serve ${folder} --port ${port}`;
}

export const NO_ANSWER = 'The server does not answer.';

/** Follows the runs until the page is closed, through breaks of the connection too. */
export function useRuns(): Live {
  const [live, setLive] = useState<Live>({
    ...{ root: '', isPublic: false, data: null, runs: [], experiments: [] },
    loaded: false,
  });
  useEffect(() => {
    let events: EventSource | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    const tellTrouble = async () => {
      let found: ((live: Live) => string) | undefined = endedWords;
      try {
        const response = await fetch('/api/runs');
        const words = await response.text();
        if (response.ok) found = undefined;
        else if (response.status !== 401) found = () => words;
        else found = ({ loaded }) => (loaded ? ANOTHER_TOKEN : NO_TOKEN);
      } catch {
        // The server cannot be reached.
      }
      setLive((live) => {
        const { trouble: _, ...before } = live;
        return found === undefined ? before : { ...before, trouble: found(live) };
      });
    };
    const open = () => {
      events = new EventSource('/api/events');
      // The whole list comes first, and again after each break.
      events.addEventListener('runs', (event) => {
        const list = JSON.parse((event as MessageEvent<string>).data) as RunsList;
        setLive({ ...list, runs: sorted(list.runs), loaded: true });
      });
      events.addEventListener('change', (event) => {
        const { changed, removed, experiments } = JSON.parse(
          (event as MessageEvent<string>).data,
        ) as RunsChange;
        const gone = new Set([...removed, ...changed.map(({ id }) => id)]);
        setLive((before) => ({
          ...before,
          ...(experiments && { experiments }),
          runs: sorted([...before.runs.filter(({ id }) => !gone.has(id)), ...changed]),
        }));
      });
      events.addEventListener('error', () => {
        void tellTrouble();
        // A browser tries again where nobody answers, and gives up where it is refused, as after another start.
        if (events?.readyState === EventSource.CLOSED) again = setTimeout(follow, AGAIN_MS);
      });
    };
    // A browser holds six connections to a server, and each page that listens takes one.
    const follow = () => {
      clearTimeout(again);
      events?.close();
      if (!document.hidden) open();
    };
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      clearTimeout(again);
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
