import type { ExplorerRun } from '../src/server/messages.js';

/** What was noticed as the data of runs were opened. Runs of the same data have the same notes, which stand once. */
export function DataNotes({ runs }: { runs: Iterable<ExplorerRun> }) {
  const notes = [...new Set([...runs].flatMap((run) => run.notes))];
  if (notes.length === 0) return null;
  return (
    <details class="notes">
      <summary>
        {notes.length === 1 ? 'A note' : `${notes.length} notes`} on the data; the page Data shows more
      </summary>
      <ul>
        {notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
    </details>
  );
}
