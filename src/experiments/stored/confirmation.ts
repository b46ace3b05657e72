/**
 * Records each look at the samples that are set aside: when it was taken and with which settings. There should be one.
 * A second look with other settings is allowed, but the table tells of it.
 */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { configDifferences, type Tree } from '../../config/index.js';
import { firstIssue } from '../../evaluation/results/stored.js';
import { damaged, digestOf, experimentPaths, placeless, readJson, writeJson } from './folder.js';

const look = z.object({
  /** The time of the look, in ISO 8601. */
  at: z.string(),
  /** A digest of the settings of all cells that took part. */
  digest: z.string(),
  /** The rows that the reference is compared with; `best` in the experiment file is replaced with the row's name. */
  against: z.array(z.string()).readonly(),
  /** The settings of each cell, by its id. */
  settings: z.record(z.string(), z.record(z.string(), z.unknown())).readonly(),
  /** The differences from the look before, cell by cell. */
  changes: z.array(z.string()).readonly(),
});

const record = z.object({
  version: z.literal(1),
  /** All looks, the first one first. */
  looks: z.tuple([look], look).readonly(),
});

export type Look = Readonly<z.output<typeof look>>;
export type ConfirmationRecord = Readonly<z.output<typeof record>>;

/** Reads the record; undefined before the first look. @throws DataError when the file is damaged */
export function readConfirmation(root: string): ConfirmationRecord | undefined {
  const file = experimentPaths(root).confirmation;
  if (!existsSync(file)) return undefined;
  const remedy = 'copy it again: it says when the samples set aside were first judged';
  const content = readJson(file);
  if (content === undefined) throw damaged(file, remedy, 'it is not JSON');
  const found = record.safeParse(content);
  if (found.success) return found.data;
  throw damaged(file, remedy, firstIssue(found.error));
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
  const extended: ConfirmationRecord = {
    version: 1,
    looks: earlier === undefined ? [look] : [...earlier.looks, look],
  };
  writeJson(experimentPaths(root).confirmation, extended);
  return extended;
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
