import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import type { AuditFinding, AuditItem, DropListRequest, LeftOut } from '../src/server/messages.js';
import { useAudit } from './audit.js';
import { DECISIONS, type Decision, decisionOf, leftOut, type Verdicts } from './decisions.js';
import { type Live, setQuery } from './live.js';
import { SampleImage } from './sampleImage.js';

/** So many items of a finding are shown at once. */
const PAGE = 24;

const SEVERITY = { error: 'Error', warning: 'Warning', info: 'Note' } as const;

export function DataPage({ live, query }: { live: Live; query: URLSearchParams }) {
  const { isPublic } = live;
  const run = query.getAll('run')[0];
  const given = live.data === '' ? 'without a run' : `--data ${live.data}`;
  const owner = new URLSearchParams(run === undefined ? [] : [['run', run]]).toString();
  const { audit, refused: trouble, progress } = useAudit(owner);
  const { verdicts, decide } = useVerdicts(run ?? given);
  const list = useMemo(() => leftOut(audit?.suggested ?? [], verdicts), [audit, verdicts]);
  return (
    <main>
      <h1>{audit?.data ?? (run === undefined ? `The data ${live.data}` : `The data of ${run}`)}</h1>
      <Owners {...{ live, query, given }} />
      {trouble !== undefined && (
        <p class="trouble" role="alert">
          {trouble}
        </p>
      )}
      {audit === undefined && trouble === undefined && (
        <>
          <p role="status">
            Looking at every image once, as anatomy data check does; large data takes minutes …
          </p>
          {progress !== undefined && (
            <p class="count">
              <progress aria-label="Samples looked at" value={progress.looked} max={progress.of} />{' '}
              {progress.looked} of {progress.of} samples
            </p>
          )}
        </>
      )}
      {audit?.findings.length === 0 && <p>Nothing was found in its {audit.samples} samples.</p>}
      {audit !== undefined && audit.findings.length > 0 && (
        <>
          <p class="count">
            {audit.samples} samples.{' '}
            {!isPublic &&
              'Decide which stay; what should go by the audit is chosen already. A wrong label is left out too, with that reason, until you mend it.'}
          </p>
          {audit.findings.map((finding) => (
            <Finding
              key={finding.code}
              {...{ owner, finding, verdicts }}
              decide={isPublic ? undefined : decide}
              suggested={audit.suggested}
            />
          ))}
          {!isPublic && <WriteList list={list} samples={audit.samples} />}
        </>
      )}
    </main>
  );
}

/** Chooses between the data of the runs and those of `--data`, where there is a choice. */
function Owners({ live, query, given }: { live: Live; query: URLSearchParams; given: string }) {
  const chosen = query.getAll('run');
  const ids = [...new Set([...chosen, ...live.runs.map(({ id }) => id)])];
  if (ids.length + (live.data === null ? 0 : 1) < 2) return null;
  const choose = (id: string) => {
    const runs = id === '' ? [] : [id, ...chosen.filter((one) => one !== id)];
    setQuery('/data', new URLSearchParams(runs.map((one) => ['run', one])));
  };
  return (
    <form class="controls" onSubmit={(event) => event.preventDefault()}>
      <label>
        Data
        <select value={chosen[0] ?? ''} onChange={(event) => choose(event.currentTarget.value)}>
          {live.data !== null && <option value="">{given}</option>}
          {ids.map((id) => (
            <option key={id} value={id}>
              of {id}
            </option>
          ))}
        </select>
      </label>
    </form>
  );
}

interface FindingProps {
  /** The query that names whose data these are. */
  owner: string;
  finding: AuditFinding;
  suggested: readonly LeftOut[];
  verdicts: Verdicts;
  /** Undefined where nothing may be decided. */
  decide: ((id: string, decision: Decision) => void) | undefined;
}

function Finding({ owner, finding, suggested, verdicts, decide }: FindingProps) {
  const [shown, setShown] = useState(PAGE);
  const { severity, title, count, explanation, fix, items } = finding;
  return (
    <section class="finding">
      <h2>
        <span class={`tag ${severity}`}>{SEVERITY[severity]}</span> {title}
        {count > 1 && ` (${count})`}
      </h2>
      <p>{explanation}</p>
      <p>
        <strong>What to do:</strong> {fix}
      </p>
      <ul class="items">
        {items.slice(0, shown).map((item, i) => (
          <li key={i}>
            <Item {...{ owner, item, suggested, verdicts, decide }} />
          </li>
        ))}
      </ul>
      {items.length > shown && (
        <button type="button" class="step" onClick={() => setShown(shown + PAGE)}>
          Show more of {items.length}
        </button>
      )}
      {items.length <= shown && count > items.length && (
        <p class="count">… and {count - items.length} more; anatomy data check --json lists all.</p>
      )}
    </section>
  );
}

function Item(props: Omit<FindingProps, 'finding'> & { item: AuditItem }) {
  const { owner, item, suggested, verdicts, decide } = props;
  const group = useId(); // a sample may stand under several findings
  return (
    <>
      {item.samples.map(({ id, sample, label, modalities }) => (
        <div key={id} class="item">
          <strong>{id}</strong> {label !== undefined && <small>{label}</small>}
          {sample !== null && (
            <>
              <div class="thumbnails">
                {modalities.map((modality) => (
                  <SampleImage
                    key={modality}
                    lazy
                    alt={`${modality} of ${id}`}
                    title={modality}
                    src={`/api/thumbnail?${owner}&${new URLSearchParams({ sample: String(sample), modality })}`}
                  />
                ))}
              </div>
              {decide !== undefined && (
                <fieldset>
                  <legend class="hidden">What becomes of {id}</legend>
                  {DECISIONS.map((decision) => (
                    <label key={decision} class="check">
                      <input
                        type="radio"
                        name={`${group} ${id}`}
                        checked={decisionOf(id, suggested, verdicts) === decision}
                        onChange={() => decide(id, decision)}
                      />
                      {decision}
                    </label>
                  ))}
                </fieldset>
              )}
            </>
          )}
        </div>
      ))}
      <p class="count">{[item.modality, item.detail].filter(Boolean).join(': ')}</p>
    </>
  );
}

/** Writes the list once its length and its place were confirmed. */
function WriteList({ list, samples }: { list: readonly LeftOut[]; samples: number }) {
  const [file, setFile] = useState('drop.csv');
  const [outcome, setOutcome] = useState<{ written?: string; trouble?: string }>({});
  const [exists, setExists] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  const confirm = async () => {
    const request: DropListRequest = { file, samples: list, overwrite: exists };
    const response = await fetch('/api/drop-list', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(request),
    }).catch(() => undefined);
    if (response?.status === 409) {
      setExists(true); // it asks again, with other words
      return;
    }
    dialog.current?.close();
    if (response === undefined)
      setOutcome({ trouble: 'The server does not answer; your decisions stay here until it does.' });
    else if (!response.ok) setOutcome({ trouble: await response.text() });
    else setOutcome({ written: ((await response.json()) as { file: string }).file });
  };
  const ask = () => {
    setExists(false);
    setOutcome({});
    dialog.current?.showModal();
  };
  return (
    <section class="write" aria-label="The list of samples to leave out">
      <form
        class="controls"
        onSubmit={(event) => {
          event.preventDefault();
          ask();
        }}
      >
        <p>
          {list.length} of {samples} samples are left out
        </p>
        <label>
          File
          <input type="text" required value={file} onInput={(event) => setFile(event.currentTarget.value)} />
        </label>
        <button type="submit" class="button" disabled={list.length === 0}>
          Write the list …
        </button>
      </form>
      <p role="status">
        {outcome.written !== undefined && (
          <>
            Written to {outcome.written}. Train without them: <code>--drop {outcome.written}</code>
          </>
        )}
      </p>
      {outcome.trouble !== undefined && (
        <p class="trouble" role="alert">
          {outcome.trouble}
        </p>
      )}
      <dialog ref={dialog} aria-labelledby="confirm">
        <h2 id="confirm">
          {exists ? `${file} exists. Replace it by this list?` : `Write ${list.length} samples to ${file}?`}
        </h2>
        <p>
          {list
            .slice(0, 10)
            .map(({ id }) => id)
            .join(', ')}
          {list.length > 10 && ` and ${list.length - 10} more`}
        </p>
        <p>
          <button type="button" class="button" onClick={() => void confirm()}>
            {exists ? 'Replace' : 'Write'}
          </button>{' '}
          <button type="button" class="step" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
        </p>
      </dialog>
    </section>
  );
}

/** The decisions outlive a reload and the server, and are gone with the tab, as they name patients' samples. */
function useVerdicts(owner: string): {
  verdicts: Verdicts;
  decide: (id: string, decision: Decision) => void;
} {
  const key = `decisions ${owner}`;
  const [verdicts, setVerdicts] = useState<Verdicts>({});
  useEffect(() => setVerdicts(JSON.parse(sessionStorage.getItem(key) ?? '{}') as Verdicts), [key]);
  const decide = (id: string, decision: Decision) => {
    const next = { ...verdicts, [id]: decision };
    setVerdicts(next);
    sessionStorage.setItem(key, JSON.stringify(next));
  };
  return { verdicts, decide };
}
