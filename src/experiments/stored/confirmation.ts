/**
 * Records each look at the samples that are set aside: when it was taken and with which settings. There should be one.
 * A second look with other settings is allowed, but the table tells of it.
 */
import { existsSync } from 'node:fs';
import { configDifferences, type Tree } from '../../config/index.js';
import { damaged, digestOf, experimentPaths, placeless, readJson, writeJson } from './folder.js';

export interface ConfirmationRecord {
  readonly version: 1;
  /** All looks, the first one first. */
  readonly looks: readonly [Look, ...Look[]];
}

export interface Look {
  /** The time of the look, in ISO 8601. */
  readonly at: string;
  /** A digest of the settings of all cells that took part. */
  readonly digest: string;
  /** The rows that the reference is compared with; `best` in the experiment file is replaced with the row's name. */
  readonly against: readonly string[];
  /** The settings of each cell, by its id. */
  readonly settings: Readonly<Record<string, Tree>>;
  /** The differences from the look before, cell by cell. */
  readonly changes: readonly string[];
}

/** Reads the record; undefined before the first look. @throws DataError when the file is damaged */
export function readConfirmation(root: string): ConfirmationRecord | undefined {
  const file = experimentPaths(root).confirmation;
  if (!existsSync(file)) return undefined;
  const record = readJson(file) as ConfirmationRecord | undefined;
  if (record?.version === 1) return record;
  throw damaged(file, 'copy it again: it says when the samples set aside were first judged');
}

/**
 * Records a look. Call it before the cells are run: whoever sees one number has looked. The same look again changes
 * nothing.
 */
export function recordLook(
  root: string,
  cells: readonly { readonly id: string; readonly settings: Tree }[],
  against: readonly string[],
  at: Date,
): ConfirmationRecord {
  // The settings go through JSON, so that a stored look equals the same look again, on another machine too.
  const settings = JSON.parse(
    JSON.stringify(Object.fromEntries(cells.map(({ id, settings }) => [id, placeless(settings)]))),
  ) as Record<string, Tree>;
  const digest = digestOf({ settings, against });
  const earlier = readConfirmation(root);
  const last = earlier?.looks.at(-1);
  if (earlier !== undefined && last?.digest === digest) return earlier;
  const look: Look = {
    at: at.toISOString(),
    digest,
    against,
    settings,
    changes: last === undefined ? [] : changesOf(last, settings, against),
  };
  const record: ConfirmationRecord = {
    version: 1,
    looks: earlier === undefined ? [look] : [...earlier.looks, look],
  };
  writeJson(experimentPaths(root).confirmation, record);
  return record;
}

function changesOf(last: Look, settings: Look['settings'], against: readonly string[]): string[] {
  const changes: string[] = [];
  if (String(last.against) !== String(against)) {
    changes.push(`compared with ${against.join(', ')} instead of ${last.against.join(', ')}`);
  }
  for (const id of new Set([...Object.keys(last.settings), ...Object.keys(settings)])) {
    const [before, now] = [last.settings[id], settings[id]];
    if (before === undefined) changes.push(`${id}: new`);
    else if (now === undefined) changes.push(`${id}: left out`);
    else changes.push(...configDifferences(before, now).map((difference) => `${id}: ${difference}`));
  }
  return changes;
}
