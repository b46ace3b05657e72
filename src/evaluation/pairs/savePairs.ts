import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../files.js';
import { type PairsResult, pairsFile } from '../results/pairsResult.js';

/** Formats the result as JSON, where an undefined value is null. The numbers of a figure share a line. */
export function pairsJson(result: PairsResult): string {
  return JSON.stringify(result, null, 2).replace(/\[[\s\d.,e+-]+\]/g, (numbers) =>
    numbers.replace(/\s+/g, ''),
  );
}

/** The path of the result in a folder. */
export function pairsPath(folder: string, { data }: { readonly data: PairsResult['data'] }): string {
  return join(folder, pairsFile(data));
}

/**
 * Writes `pairs.json`, or a file named as {@link pairsFile} says, over an earlier one. An interrupted write leaves no
 * half file.
 * @returns the path of the file
 */
export function savePairs(folder: string, result: PairsResult): string {
  mkdirSync(folder, { recursive: true });
  const file = pairsPath(folder, result);
  writeFileAtomic(file, `${pairsJson(result)}\n`);
  return file;
}
