import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CaseMap, ExplorerSample } from '../src/server/messages.js';
import { Gap } from './gap.js';

/** Rows outside the window are not in the page, so that twenty thousand scroll smoothly. */
const ROW = 32;
const WINDOW = 12;
const AROUND = 8;

interface TableProps {
  run: string;
  samples: readonly ExplorerSample[];
  columns: CaseMap['columns'];
  chosen: readonly number[];
  shown: number | undefined;
  onChoose: (samples: readonly number[]) => void;
  onShow: (sample: number | undefined) => void;
}

/** The cases as a table: a row points at its image on the map, and the map at its row; the keyboard has them all. */
export function CaseTable({ run, samples, columns, chosen, shown, onChoose, onShow }: TableProps) {
  const [search, setSearch] = useState('');
  const [onlyChosen, setOnlyChosen] = useState(false);
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const pointed = useRef(false);
  const names = Object.keys(columns);
  const rows = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const all = onlyChosen && chosen.length > 0 ? chosen : samples.map((_, i) => i);
    return all.filter((sample) => {
      const text = [samples[sample]!.id, ...names.map((name) => columns[name]![sample])]
        .join(' ')
        .toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }, [samples, columns, chosen, onlyChosen, search]);
  // The map was pointed at, so its row comes into sight.
  useEffect(() => {
    if (shown === undefined || pointed.current || box.current === null) return;
    const place = rows.indexOf(shown);
    if (place >= 0) box.current.scrollTop = Math.max(0, (place - WINDOW / 2) * ROW);
  }, [shown, rows]);
  const picked = new Set(chosen);
  const first = Math.max(0, Math.floor(top / ROW) - AROUND);
  const seen = rows.slice(first, first + WINDOW + 2 * AROUND);
  const point = (sample: number | undefined) => {
    pointed.current = sample !== undefined;
    onShow(sample);
  };
  return (
    <section class="cases" aria-label="Cases">
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search the cases
          <input
            type="search"
            value={search}
            placeholder="id, label, subject, …"
            onInput={(event) => {
              setSearch(event.currentTarget.value);
              setTop(0);
            }}
          />
        </label>
        {chosen.length > 0 && (
          <label class="check">
            <input
              type="checkbox"
              checked={onlyChosen}
              onChange={(event) => setOnlyChosen(event.currentTarget.checked)}
            />
            Only those chosen
          </label>
        )}
      </form>
      <p class="count" role="status">
        {rows.length} of {samples.length} cases
      </p>
      <section
        ref={box}
        class="rows"
        aria-label="Table of cases"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by the keyboard
        tabIndex={0}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onPointerLeave={() => point(undefined)}
      >
        <table aria-rowcount={rows.length + 1}>
          <thead>
            <tr>
              <th scope="col">
                <span class="hidden">Chosen</span>
              </th>
              <th scope="col">Case</th>
              {names.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Gap height={first * ROW} />
            {seen.map((sample, i) => (
              <tr
                key={sample}
                aria-rowindex={first + i + 2}
                class={sample === shown ? 'pointed' : undefined}
                onPointerEnter={() => point(sample)}
              >
                <td>
                  <input
                    type="checkbox"
                    aria-label={`Choose ${samples[sample]!.id}`}
                    checked={picked.has(sample)}
                    onChange={(event) =>
                      onChoose(
                        event.currentTarget.checked
                          ? [...chosen, sample].sort((a, b) => a - b)
                          : chosen.filter((one) => one !== sample),
                      )
                    }
                  />
                </td>
                <td>
                  <a
                    href={`#/explore?${new URLSearchParams({ run, sample: String(sample) })}`}
                    onFocus={() => point(sample)}
                  >
                    {samples[sample]!.id}
                  </a>
                </td>
                {names.map((name) => (
                  <td key={name}>{columns[name]![sample]}</td>
                ))}
              </tr>
            ))}
            <Gap height={(rows.length - first - seen.length) * ROW} />
          </tbody>
        </table>
      </section>
    </section>
  );
}
