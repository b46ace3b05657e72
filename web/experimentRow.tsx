import type { ComponentChildren } from 'preact';
import type { CellCounts, ExperimentSummary } from '../src/server/messages.js';
import { duration } from './words.js';

interface ExperimentRowProps {
  experiment: ExperimentSummary;
  open: boolean;
  /** The place of the row in the table, from 1. */
  place: number;
  /** The columns beside the first one. */
  span: number;
  /** Undefined where nothing can be opened or closed now. */
  onToggle: ((id: string) => void) | undefined;
  /** What stands in the first column. */
  children: ComponentChildren;
}

/** The line above the rows of an experiment: how far it is. */
export function ExperimentRow({ experiment, open, place, span, onToggle, children }: ExperimentRowProps) {
  const { id, name, cells, secondsLeft, problems, report } = experiment;
  return (
    <tr class="experiment" aria-rowindex={place}>
      <td>{children}</td>
      <td colSpan={span}>
        <div class="across">
          <button
            type="button"
            class="fold"
            aria-expanded={open}
            disabled={onToggle === undefined}
            onClick={() => onToggle?.(id)}
          >
            {name}
          </button>{' '}
          <Cells cells={cells} />
          {secondsLeft !== null && <small> about {duration(secondsLeft)} left</small>}
          {report && (
            <>
              {' '}
              <a
                class="report"
                href={`/report?${new URLSearchParams({ experiment: id })}`}
                target="_blank"
                rel="noreferrer"
              >
                report
              </a>
            </>
          )}
          <small>
            {name !== id && ` ${id}`}
            {problems.length > 0 && !open && ` ${problems[0]}`}
          </small>
        </div>
      </td>
    </tr>
  );
}

function Cells({ cells: { finished, running, failed, left } }: { cells: CellCounts }) {
  const all = left === null ? undefined : finished + running + failed + left;
  return (
    <>
      <span class="state" title="cells that are finished">
        {all === undefined ? finished : `${finished}/${all}`} cells
      </span>
      {running > 0 && <span class="state training">{running} running</span>}
      {failed > 0 && <span class="state diverged">{failed} failed</span>}
      {left !== null && left > 0 && <span class="state">{left} left</span>}
    </>
  );
}

/** What is wrong with an experiment. */
export function ProblemRow({ words, place, span }: { words: string; place: number; span: number }) {
  return (
    <tr class="inside" aria-rowindex={place}>
      <td />
      <td colSpan={span}>
        <div class="across problem" title={words}>
          {words}
        </div>
      </td>
    </tr>
  );
}
