/** The paths that a config names, in one list, so that none is forgotten where paths are stored, shown or hidden. */
import type { Config } from './schema.js';

/** A part of a config that names places. */
type Placed = Pick<Config, 'data' | 'model'>;

/** Lists the places by key, such as `data.path` and `data.folders.flair`. The cache's folder is none of them. */
export function placesOf({ data, model }: Placed): ReadonlyMap<string, string> {
  const { path, pathB, imageRoot, drop, splits, folders = {} } = data;
  const all = {
    'data.path': path,
    'data.pathB': pathB,
    'data.imageRoot': imageRoot,
    'data.drop': drop,
    'data.splits': splits,
    'model.initFrom': model.initFrom,
    ...Object.fromEntries(Object.entries(folders).map(([name, folder]) => [`data.folders.${name}`, folder])),
  };
  return new Map(Object.entries(all).flatMap(([key, place]) => (place ? [[key, place] as const] : [])));
}

/** Gives the config with each of its places replaced. */
export function mapPlaces<Settings extends Placed>(
  config: Settings,
  place: (path: string, key: string) => string,
): Settings {
  const { data, model } = config;
  const of = (key: string, path: string | null) => (path === null ? null : place(path, key));
  const { folders, imageRoot } = data;
  return {
    ...config,
    data: {
      ...data,
      path: of('data.path', data.path),
      pathB: of('data.pathB', data.pathB),
      ...(folders && {
        folders: Object.fromEntries(
          Object.entries(folders).map(([name, folder]) => [name, place(folder, `data.folders.${name}`)]),
        ),
      }),
      ...(imageRoot && { imageRoot: place(imageRoot, 'data.imageRoot') }),
      drop: of('data.drop', data.drop),
      splits: of('data.splits', data.splits),
    },
    model: { ...model, initFrom: of('model.initFrom', model.initFrom) },
  };
}
