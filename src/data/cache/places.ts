/**
 * Where data lies on this machine, by its digest. A run keeps no more than the name of data outside its project, so that it tells
 * nobody where its owner keeps things; its owner’s cache may know, and so the run finds its data again here.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { AnatomyError } from '../../errors.js';
import { isSystemError, writeFileAtomic } from '../../files.js';
import { PHANTOM_PREFIX } from '../../phantoms/phantomName.js';
import { defaultCacheRoot } from './cacheFolders.js';

const schema = z.object({
  path: z.string().nullable(),
  pathB: z.string().nullable(),
  drop: z.string().nullable(),
});

/** The keys of the config’s `data` that are places; absolute where they are remembered. */
export type Place = z.infer<typeof schema>;

/** In the user’s own cache, also where images are kept elsewhere: that may be a place that is shared. */
const placeFile = (hash: string) => path.join(defaultCacheRoot(), 'places', `${hash}.json`);

/**
 * Keeps the place for `rememberedPlace`. A cache that cannot be written is no reason to stop: then the place is named again.
 * @param hash as runs publish it
 */
export function rememberPlace(hash: string, { path: own, pathB, drop }: Place): void {
  if (own === null || own.startsWith(PHANTOM_PREFIX)) return;
  const absolute = (file: string | null) => file && path.resolve(file);
  const place: Place = { path: absolute(own), pathB: absolute(pathB), drop: absolute(drop) };
  const file = placeFile(hash);
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileAtomic(file, `${JSON.stringify(place)}\n`);
  } catch (error) {
    if (!isSystemError(error) && !(error instanceof AnatomyError)) throw error;
  }
}

/** Undefined where the user’s own cache knows nothing of the data. */
export function rememberedPlace(hash: string): Place | undefined {
  const file = placeFile(hash);
  if (!existsSync(file)) return undefined;
  try {
    return schema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
  } catch (error) {
    // A cache may be damaged; it is written anew by the next pretraining.
    if (!isSystemError(error) && !(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
