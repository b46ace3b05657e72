/** The paths in the config of a stored run: what is told of them, and how they are found again. */
import { homedir } from 'node:os';
import { basename, relative, resolve, sep } from 'node:path';
import type { Config } from '../config/index.js';
import { PHANTOM_PREFIX } from '../phantoms/phantomName.js';

/**
 * Prepares a config for storing. A path in the project of the run becomes relative to the run, so that the run finds
 * its data again, also when both are moved. Of any other path only the last part is kept, so that a run tells nobody
 * where its owner keeps things; this machine remembers where they are, see `rememberPlace`.
 * @param project the folder in which the command is given
 */
export function storable(config: Config, root: string, project = process.cwd()): Config {
  return withPlaces(config, (path) => toStored(path, root, project), null);
}

/** Replaces the paths of a config. */
function withPlaces(
  { data, model, ...rest }: Config,
  place: (path: string | null, of: (config: Config) => string | null) => string | null,
  cacheFolder: string | null,
): Config {
  return {
    ...rest,
    data: {
      ...data,
      path: place(data.path, (other) => other.data.path),
      pathB: place(data.pathB, (other) => other.data.pathB),
      drop: place(data.drop, (other) => other.data.drop),
      splits: place(data.splits, (other) => other.data.splits),
      cacheFolder,
    },
    model: { ...model, initFrom: place(model.initFrom, (other) => other.model.initFrom) },
  };
}

/**
 * Writes paths as `before` has them, where they may be the same: of a path outside the project, or seen from another
 * folder, only the last part is known. Whether the data is the same is told by its digest.
 */
export function withPlacesOf(before: Config, now: Config): Config {
  return withPlaces(
    now,
    (path, of) => {
      const other = of(before);
      if (path === null || other === null || basename(path) !== basename(other)) return path;
      return path === basename(path) || other === basename(other) ? other : path;
    },
    before.data.cacheFolder,
  );
}

function toStored(path: string | null, root: string, project: string): string | null {
  if (path === null || path.startsWith(PHANTOM_PREFIX)) return path;
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
export function fromStored(path: string | null, root: string): string | null {
  return path === null || path.startsWith(PHANTOM_PREFIX) ? path : resolve(root, path);
}
