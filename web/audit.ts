/** Asks for the audit of data, and follows it while it looks. */
import { useEffect, useState } from 'preact/hooks';
import type { AuditLine, DataAudit } from '../src/server/messages.js';
import { leaving, NO_ANSWER } from './live.js';

export interface Audit {
  readonly audit?: DataAudit;
  readonly refused?: string;
  /** How many samples were looked at, of how many; undefined until the first are. */
  readonly progress?: { readonly looked: number; readonly of: number };
}

/** @param query names a run; empty for the data that the server was started with */
export function useAudit(query: string): Audit {
  const [found, setFound] = useState<Audit & { to?: string }>({});
  useEffect(() => {
    const { signal, abort } = leaving();
    const tell = (audit: Audit) => {
      if (!signal.aborted) setFound({ to: query, ...audit });
    };
    follow(query, signal, tell).catch(() => tell({ refused: NO_ANSWER }));
    return abort;
  }, [query]);
  return found.to === query ? found : {};
}

async function follow(query: string, signal: AbortSignal, tell: (audit: Audit) => void): Promise<void> {
  const response = await fetch(`/api/audit?${query}`, { signal });
  if (!response.ok) return tell({ refused: await response.text() });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let told = false;
  let rest = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split('\n');
    rest = lines.pop()!;
    for (const words of lines) {
      const line = JSON.parse(words) as AuditLine;
      told = !('looked' in line);
      tell('looked' in line ? { progress: line } : line);
    }
  }
  if (!told) tell({ refused: NO_ANSWER });
}
