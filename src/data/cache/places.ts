/**
 * Remembers where data lies on this machine, by its digest. A run keeps no more than the name of data outside its
 * project, so that it tells nobody where its owner keeps things. The owner’s cache may know the place, and so the run
 * finds its data again.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { AnatomyError } from '../../errors.js';
import { isSystemError, PRIVATE, writeFileAtomic } from '../../files.js';
import { PHANTOM_PREFIX } from '../../phantoms/phantomName.js';
import { defaultCacheRoot, makePrivateFolder } from './cacheFolders.js';

const schema = z.object({
  path: z.string().nullable(),
  pathB: z.string().nullable(),
  drop: z.string().nullable(),
  folders: z.record(z.string(), z.string()).optional(),
  imageRoot: z.string().optional(),
});

/** The same data may lie in several places: the latest one, and those before it. */
const placesSchema = schema.extend({ earlier: z.array(schema).optional() });

/** The number of places that are kept of the same data. */
const KEPT = 8;

/** The keys of the config’s `data` that are places. Remembered places are absolute. */
export type Place = z.infer<typeof schema>;

/** The file in the user’s own cache. Images may be cached elsewhere, but that place may be shared. */
const placeFile = (hash: string) => path.join(defaultCacheRoot(), 'places', `${hash}.json`);

/**
 * Keeps the place for `rememberedPlace`. A cache that cannot be written is no reason to stop: the place is then named
 * again.
 *
 * @param hash the digest of the data as runs publish it
 */
export function rememberPlace(hash: string, { path: own, pathB, drop, folders, imageRoot }: Place): void {
  if ((own === null && folders === undefined) || own?.startsWith(PHANTOM_PREFIX)) return;
  const absolute = (file: string | null) => file && path.resolve(file);
  const place: Place = {
    ...{ path: absolute(own), pathB: absolute(pathB), drop: absolute(drop) },
    ...(folders && {
      folders: Object.fromEntries(Object.entries(folders).map(([name, file]) => [name, path.resolve(file)])),
    }),
    ...(imageRoot && { imageRoot: path.resolve(imageRoot) }),
  };
  const file = placeFile(hash);
  const isOther = (one: Place) => JSON.stringify(one) !== JSON.stringify(place);
  const earlier = storedPlaces(file)
    .filter(isOther)
    .slice(0, KEPT - 1);
  try {
    makePrivateFolder(path.dirname(file));
    writeFileAtomic(file, `${JSON.stringify({ ...place, earlier })}\n`, { mode: PRIVATE });
  } catch (error) {
    if (!isSystemError(error) && !(error instanceof AnatomyError)) throw error;
  }
}

/**
 * Finds the latest place that was kept and is still there, else the latest one. Gives undefined where the user’s own
 * cache knows nothing of the data.
 */
export function rememberedPlace(hash: string): Place | undefined {
  const places = storedPlaces(placeFile(hash));
  return places.find((place) => namesOf(place).every((file) => existsSync(file))) ?? places[0];
}

/** Lists all that a place consists of. */
export function placesIn(place: Place): string[] {
  const { pathB, drop, imageRoot } = place;
  return [...namesOf(place), pathB, drop, imageRoot].filter((file) => file !== null && file !== undefined);
}

/** The path of the data, or those of its folders. */
function namesOf({ path: own, folders }: Place): string[] {
  return own === null ? Object.values(folders ?? {}) : [own];
}

/** The places in a file, the latest first. A damaged file counts as absent; the next pretraining writes it anew. */
function storedPlaces(file: string): Place[] {
  if (!existsSync(file)) return [];
  try {
    const found = placesSchema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
    if (found === undefined) return [];
    const { earlier = [], ...latest } = found;
    return [latest, ...earlier];
  } catch (error) {
    if (!isSystemError(error) && !(error instanceof SyntaxError)) throw error;
    return [];
  }
}
