/** The folder of a page that a command writes beside its result: `--page`. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../files.js';

/** Checks before the work that the page can be written. @throws UsageError where the folder holds something else */
export async function refusePage(folder: string): Promise<void> {
  const { checkTarget } = await import('../report/reportFolder.js');
  checkTarget(folder, '--page');
}

/** Writes the page. @returns its path */
export function writePage(folder: string, html: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'index.html');
  writeFileAtomic(file, html);
  return file;
}
