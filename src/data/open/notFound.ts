import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import { WHAT_DATA_IS } from './dataNames.js';

/**
 * Makes the error that says where a path stops being right, with the nearest name in the deepest folder that exists.
 */
export async function notFound(place: string): Promise<DataError> {
  let missing = path.resolve(place);
  while ((await stat(path.dirname(missing)).catch(() => undefined)) === undefined)
    missing = path.dirname(missing);
  const folder = path.dirname(missing);
  const meant = nearest(path.basename(missing), await readdir(folder).catch(() => []));
  let hint = ` Data is ${WHAT_DATA_IS}.`;
  if (meant !== undefined) hint = ` Did you mean ${path.join(folder, meant)}?`;
  return new DataError(
    `${place}: no such file or folder (there is nothing named "${path.basename(missing)}" in ${folder}).${hint}`,
  );
}
