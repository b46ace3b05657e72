/** The paths in the config of a stored run: what is told of them, and how they are found again. */
import { homedir } from 'node:os';
import { basename, relative, resolve, sep } from 'node:path';
import { type Config, mapPlaces, placesOf } from '../config/index.js';
import { PHANTOM_PREFIX } from '../phantoms/phantomName.js';

/**
 * Prepares a config for storing. A path in the project of the run becomes relative to the run, so that the run finds
 * its data again, also when both are moved. Of any other path only the last part is kept, so that a run tells nobody
 * where its owner keeps things; this machine remembers where they are, see `rememberPlace`.
 * @param project the folder in which the command is given
 */
export function storable(config: Config, root: string, project = process.cwd()): Config {
  return withCache(
    mapPlaces(config, (path) => toStored(path, root, project)),
    null,
  );
}

function withCache(config: Config, cacheFolder: string | null): Config {
  return { ...config, data: { ...config.data, cacheFolder } };
}

/**
 * Writes paths as `before` has them, where they may be the same: of a path outside the project, or seen from another
 * folder, only the last part is known. Whether the data is the same is told by its digest.
 */
export function withPlacesOf(before: Config, now: Config): Config {
  const others = placesOf(before);
  const as = (path: string, key: string) => {
    const other = others.get(key);
    if (other === undefined || basename(path) !== basename(other)) return path;
    return path === basename(path) || other === basename(other) ? other : path;
  };
  return withCache(mapPlaces(now, as), before.data.cacheFolder);
}

function toStored(path: string, root: string, project: string): string {
  if (path.startsWith(PHANTOM_PREFIX)) return path;
  const [here, there] = [resolve(root), resolve(path)];
  const told = isProject(project) && [here, there].every((one) => isInside(one, project));
  return told ? relative(here, there) : basename(there);
}

/** False for the home folder and the top of the file system, whose names are not of one piece of work. */
function isProject(folder: string): boolean {
  return folder.split(sep).length > 2 && folder !== homedir();
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder + sep);
}

/** Resolves a path of a stored config, which is seen from the run. */
export function fromStored(path: string, root: string): string {
  return path.startsWith(PHANTOM_PREFIX) ? path : resolve(root, path);
}
