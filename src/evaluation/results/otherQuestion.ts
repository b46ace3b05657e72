/** Compares what a stored result answers with what is asked now. */
import { existsSync, readFileSync } from 'node:fs';
import { DataError, UsageError } from '../../errors.js';
import type { PairsResult } from './pairsResult.js';

/** The facts on data and bootstrap that every result stores. */
export function dataFacts(
  data: Pick<PairsResult['data'], 'name' | 'dataHash' | 'subjects'>,
  { replicates }: PairsResult['bootstrap'],
) {
  return {
    data: data.name,
    'content of the data (ids, subjects, labels, pixels)': data.dataHash.slice(0, 12),
    subjects: data.subjects,
    bootstraps: replicates,
  };
}

/**
 * Refuses to replace a stored result that differs from what is asked now.
 *
 * @throws UsageError naming the file and what differs
 */
export function refuseWhere<Stored>(
  file: string,
  parse: (text: string, file: string) => Stored,
  differencesTo: (stored: Stored) => readonly string[],
): void {
  if (!existsSync(file)) return;
  const remedy = '--overwrite replaces it, --out names another folder';
  let stored: Stored;
  try {
    stored = parse(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new UsageError(`${error.message}: ${remedy}`);
  }
  const found = differencesTo(stored);
  if (found.length === 0) return;
  throw new UsageError(
    `${file} answers another question; ${remedy}. What is other:\n  ${found.join('\n  ')}`,
  );
}

/** Lists the values that differ, as in `seed: 0 → 1`. What an older version did not store is not compared. */
export function differing(
  stored: Readonly<Record<string, unknown>>,
  asked: Readonly<Record<string, unknown>>,
): string[] {
  return Object.entries(asked).flatMap(([name, value]) => {
    const before = stored[name];
    return before === undefined || before === value ? [] : [`${name}: ${before} → ${value}`];
  });
}
