import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError, UsageError } from '../errors.js';
import { nearest } from '../nearest.js';
import { readDatasetCard } from './datasetCard.js';
import { readFolders } from './folders.js';
import { positiveClass } from './labels.js';
import { type ManifestColumns, readManifest } from './manifest.js';
import { openPack, PACK_EXTENSION } from './pack.js';
import { PHANTOM_PREFIX, PhantomOptions, parsePhantomName } from './phantomName.js';
import { PHANTOM_FAMILIES, type Phantom } from './phantoms/families.js';
import type { Preprocessing } from './preprocess.js';
import type { Dataset } from './sample.js';
import { isShards, openShards } from './shards.js';

/** How data is named on every command line and in every config. */
export interface DatasetSpec {
  /**
   * A manifest (.csv), a folder that holds `manifest.csv`, a folder of images (with `pathB`), a pack (.safetensors), tar shards
   * or their folder, or `phantom:…`.
   */
  readonly path: string;
  /** The second of two folders matched by file name. */
  readonly pathB?: string;
  /** Role → column name in the manifest; see `ManifestColumns`. */
  readonly columns?: ManifestColumns;
  /** The class that counts as positive, where its name does not tell. */
  readonly positive?: string;
  /** Only samples of these classes; absent: all, or what a known data set's users take. */
  readonly classes?: readonly string[];
  /** File that lists samples to leave out, as `data check --drop-list` writes it. */
  readonly drop?: string;
  readonly preprocess?: Readonly<Record<string, Preprocessing>>;
  readonly volumes?: VolumeOptions;
}

/** Which slices of a volume become samples. */
export interface VolumeOptions {
  /** The slices' normal: a stored axis, or a plane found by the file's orientation. */
  readonly axis: 0 | 1 | 2 | 'axial' | 'coronal' | 'sagittal';
  readonly from: number | null;
  readonly to: number | null;
  readonly step: number;
  /** Slices whose share of pixels above the volume's darkest value is below this are left out. */
  readonly content: number;
}

export interface OpenDatasetOptions {
  /** Told what was assumed where the data leaves something out. */
  onWarning?: (message: string) => void;
  /** `optional`: where the positive class cannot be told, warn and leave it open instead of refusing. */
  positive?: 'required' | 'optional';
  /**
   * Told of each sample that cannot be used, which is then left out; without it, the first kind of fault ends in a DataError.
   * For the audit, which reports them all.
   */
  onFault?: (fault: DataFault) => void;
}

/** A sample, or what should have been one, that the data names but does not hold. */
export interface DataFault {
  readonly kind: 'missing-mate' | 'missing-file' | 'bad-row';
  /** The sample's id, or the stem of the file that stands alone. */
  readonly id: string;
  /** What is wrong, naming the place. */
  readonly message: string;
}

/**
 * Opens what `--data` names. Nothing is decoded yet; that every file is there is checked.
 *
 * @throws DataError if the data is missing or inconsistent, UsageError if the name itself is wrong
 */
export async function openDataset(
  spec: DatasetSpec,
  { onWarning, positive = 'required' }: OpenDatasetOptions = {},
): Promise<Dataset> {
  const dataset = await open(spec, onWarning);
  if (spec.positive === undefined && dataset.positive !== undefined) return dataset;
  try {
    return { ...dataset, positive: positiveClass(dataset.samples, spec.positive) };
  } catch (error) {
    if (positive === 'required' || spec.positive !== undefined || !(error instanceof DataError)) throw error;
    onWarning?.(`${error.message} Until then no monitor looks at the labels.`);
    return dataset;
  }
}

async function open(spec: DatasetSpec, onWarning: OpenDatasetOptions['onWarning']): Promise<Dataset> {
  const { path: place, pathB } = spec;
  if (place.startsWith(PHANTOM_PREFIX)) {
    refuseSecondFolder(spec, 'a phantom');
    refuseColumns(spec, 'a phantom');
    return (await openPhantom(place)).dataset;
  }
  const isManifest = existsSync(path.join(place, 'manifest.csv'));
  if (pathB === undefined && !isManifest && isShards(place)) {
    return openShards(place, { columns: spec.columns, onWarning });
  }
  const found = await stat(place).catch(() => undefined);
  if (found === undefined) throw await notFound(place);
  if (!found.isDirectory()) {
    if (path.extname(place) === PACK_EXTENSION) {
      refuseSecondFolder(spec, 'a pack');
      refuseColumns(spec, 'a pack');
      return openPack(place);
    }
    if (path.extname(place).toLowerCase() !== '.csv') {
      throw new DataError(
        `${place}: is neither a folder nor a manifest. Expected a .csv file, a folder with manifest.csv, ` +
          'two folders (--data A --data-b B), a pack (.safetensors), shards (.tar) or phantom:breast,pairs=400,seed=0.',
      );
    }
    refuseSecondFolder(spec, 'a manifest');
    return openManifest(place, spec, onWarning);
  }
  if (pathB !== undefined) {
    refuseColumns(spec, 'two folders');
    if ((await stat(pathB).catch(() => undefined)) === undefined) throw await notFound(pathB);
    const name = `${path.basename(path.resolve(place))}+${path.basename(path.resolve(pathB))}`;
    return { name, modalities: ['a', 'b'], samples: await readFolders(place, pathB) };
  }
  const inside = path.join(place, 'manifest.csv');
  if ((await stat(inside).catch(() => undefined)) !== undefined) return openManifest(inside, spec, onWarning);
  throw new DataError(
    `${place}: is a folder without manifest.csv. Name the second folder of the pairs with --data-b, ` +
      'or write a manifest with the columns id,subject,a,b,label.',
  );
}

async function openManifest(
  file: string,
  { columns }: DatasetSpec,
  onWarning: OpenDatasetOptions['onWarning'],
): Promise<Dataset> {
  const stem = path.parse(file).name;
  // "manifest" tells nothing; the folder it stands in does.
  const name = stem === 'manifest' ? path.basename(path.dirname(path.resolve(file))) : stem;
  const manifest = await readManifest(file, { columns, onWarning });
  return { name, ...manifest, ...(await readDatasetCard(path.dirname(file), manifest.modalities)) };
}

/**
 * Opens what a phantom's name stands for; nothing is drawn yet.
 *
 * @throws UsageError if there is no such phantom or option
 */
export async function openPhantom(name: string): Promise<Phantom> {
  const parsed = parsePhantomName(name);
  const families = Object.keys(PHANTOM_FAMILIES);
  if (!Object.hasOwn(PHANTOM_FAMILIES, parsed.family)) {
    const meant = nearest(parsed.family, families);
    throw new UsageError(
      `There is no phantom "${parsed.family}"; there is ${families.join(', ')}.` +
        (meant === undefined ? '' : ` Did you mean "${PHANTOM_PREFIX}${meant}"?`),
    );
  }
  const options = new PhantomOptions(parsed);
  const make = await PHANTOM_FAMILIES[parsed.family]!(options);
  options.refuseUnknown();
  const phantom = make();
  return { ...phantom, dataset: { ...phantom.dataset, simulated: phantom.dataset.modalities } };
}

function refuseSecondFolder({ pathB }: DatasetSpec, what: string): void {
  if (pathB === undefined) return;
  throw new UsageError(
    `--data-b ${pathB} goes with a folder of images, but --data names ${what}. Leave --data-b out.`,
  );
}

function refuseColumns({ columns }: DatasetSpec, what: string): void {
  if (columns === undefined || Object.keys(columns).length === 0) return;
  throw new UsageError(
    `--column (${Object.keys(columns).join(', ')}) goes with a manifest, but --data names ${what}. Leave it out.`,
  );
}

/** Says where the path stops being right: the nearest name in the deepest folder that exists. */
async function notFound(place: string): Promise<DataError> {
  let missing = path.resolve(place);
  while ((await stat(path.dirname(missing)).catch(() => undefined)) === undefined)
    missing = path.dirname(missing);
  const folder = path.dirname(missing);
  const meant = nearest(path.basename(missing), await readdir(folder).catch(() => []));
  let hint = ` Data is a manifest (.csv), a folder with manifest.csv, two folders (--data A --data-b B) or phantom:breast,pairs=400,seed=0.`;
  if (meant !== undefined) hint = ` Did you mean ${path.join(folder, meant)}?`;
  return new DataError(
    `${place}: no such file or folder (there is nothing named "${path.basename(missing)}" in ${folder}).${hint}`,
  );
}
