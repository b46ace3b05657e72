import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../files.js';
import type { PairsResult } from '../results/pairsResult.js';

/** The result as JSON; an undefined value is null. Numbers of the figures stand in lines, not one a line. */
export function pairsJson(result: PairsResult): string {
  return JSON.stringify(result, null, 2).replace(/\[[\s\d.,e+-]+\]/g, (numbers) =>
    numbers.replace(/\s+/g, ''),
  );
}

/** Writes `pairs.json`, of what is set aside `pairs-set-aside.json`, whole or not at all, over an earlier one. @returns its path */
export function savePairs(folder: string, result: PairsResult): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, result.data.chosen === 'set-aside' ? 'pairs-set-aside.json' : 'pairs.json');
  writeFileAtomic(file, `${pairsJson(result)}\n`);
  return file;
}
