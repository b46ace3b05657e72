import { stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError, UsageError } from '../../errors.js';
import { openPhantom } from '../../phantoms/openPhantom.js';
import { PHANTOM_PREFIX } from '../../phantoms/phantomName.js';
import { openSingleImages } from '../datasets/classFolders.js';
import { openKnownDataset } from '../datasets/index.js';
import { fileKind, stemOf } from '../formats/fileKind.js';
import { WHAT_DATA_IS } from '../open/dataNames.js';
import { readFolders, readNamedFolders } from '../open/folders.js';
import { checkModalityNames } from '../open/modalityNames.js';
import { notFound } from '../open/notFound.js';
import { openPack, PACK_EXTENSION } from '../pack/pack.js';
import { regularFile } from '../regularFile.js';
import type { Dataset, Sample } from '../sample.js';
import { isShards, openShards } from '../shards/shards.js';
import { fromFiles, namedBy, type OpenOptions, settle, withSlices } from './fromFiles.js';
import { openManifest } from './manifestData.js';
import {
  type DatasetSpec,
  refuseColumns,
  refuseManifestFlags,
  refuseSecondFolder,
  refuseSubject,
} from './spec.js';

/** The data as its reader gives it. */
export interface Opened {
  readonly dataset: Dataset;
  /** The classes to take where none are asked for. */
  readonly classes?: readonly string[];
}

/**
 * Finds out what kind of data is named, and lets its reader read it.
 *
 * @throws DataError if it is missing or inconsistent, UsageError if the name itself is wrong
 */
export async function openNamed(spec: DatasetSpec, options: OpenOptions): Promise<Opened> {
  const { path: place, pathB, folders } = spec;
  if (spec.modalities !== undefined) checkModalityNames(spec.modalities, '--modalities');
  if (folders !== undefined) return openFolders(folders, spec, options);
  if (place === undefined) throw new UsageError(`no data; name it with --data: ${WHAT_DATA_IS}`);
  if (place.startsWith(PHANTOM_PREFIX)) {
    const what = 'a phantom';
    refuseSecondFolder(spec, what);
    refuseColumns(spec, what);
    refuseManifestFlags(spec, what);
    refuseSubject(spec, 'a phantom, which names its own');
    return { dataset: (await openPhantom(place)).dataset };
  }
  const found = await stat(place).catch(() => undefined);
  if (found?.isDirectory() !== true && pathB === undefined && isShards(place))
    return shards(place, spec, options);
  if (found === undefined) throw await notFound(place);
  if (pathB !== undefined && (await stat(pathB).catch(() => undefined)) === undefined)
    throw await notFound(pathB);
  if (!found.isDirectory()) return { dataset: await openFile(place, spec, options) };
  if (pathB !== undefined) {
    refuseColumns(spec, 'two folders');
    refuseManifestFlags(spec, 'two folders');
    const { samples } = settle(await readFolders(place, pathB), options);
    const name = [place, pathB].map(nameOf).join('+');
    return { dataset: await fromFiles({ name, modalities: ['a', 'b'], samples }, spec, options) };
  }
  const manifest = path.join(place, 'manifest.csv');
  if ((await stat(manifest).catch(() => undefined)) !== undefined) {
    return { dataset: await openManifest(manifest, spec, options) };
  }
  const known = await openKnownDataset(place);
  if (known !== undefined) {
    settle(known, options);
    const dataset = withoutFolds(known.dataset, spec);
    refuseManifestFlags(spec, dataset.name);
    return {
      dataset: known.namesSubjects
        ? {
            ...dataset,
            ...(await withSlices(namedBy(spec, dataset.samples, options), dataset.modalities, spec, options)),
          }
        : await fromFiles(dataset, spec, options),
      classes: known.classes,
    };
  }
  // Shards come after known data sets, which may still lie beside the archive that they came in.
  if (isShards(place)) return shards(place, spec, options);
  const single = await openSingleImages(place);
  if (single !== undefined) {
    refuseColumns(spec, 'a folder of images');
    refuseManifestFlags(spec, 'a folder of images');
    for (const warning of single.warnings) options.onWarning?.(warning);
    return { dataset: await fromFiles(single.dataset, spec, options) };
  }
  throw new DataError(
    `${place}: is a folder without manifest.csv and without images, and no data set that is known by its layout. ` +
      `Data is ${WHAT_DATA_IS}.`,
  );
}

async function openFolders(
  folders: Readonly<Record<string, string>>,
  spec: DatasetSpec,
  options: OpenOptions,
): Promise<Opened> {
  const what = 'a folder for each modality';
  if (spec.path !== undefined) {
    throw new UsageError(
      `data.path (${spec.path}) and data.folders both name the data. Leave one of them out.`,
    );
  }
  checkModalityNames(Object.keys(folders), '--data');
  refuseSecondFolder(spec, what);
  refuseColumns(spec, what);
  refuseManifestFlags(spec, what);
  const { modalities, samples } = settle(await readNamedFolders(folders), options);
  const name = modalities.map((modality) => nameOf(folders[modality]!)).join('+');
  return { dataset: await fromFiles({ name, modalities, samples }, spec, options) };
}

function nameOf(folder: string): string {
  return stemOf(path.resolve(folder));
}

async function shards(place: string, spec: DatasetSpec, options: OpenOptions): Promise<Opened> {
  refuseManifestFlags(spec, 'shards');
  const { subject, columns, modalities } = spec;
  // What is told of absent subjects does not hold where a pattern finds them.
  const onWarning = subject === undefined ? options.onWarning : undefined;
  const dataset = await openShards(place, { onWarning, columns, modalities });
  if (subject === undefined) return { dataset };
  if (dataset.samples.some((sample) => sample.subject !== sample.id)) {
    refuseSubject(spec, 'shards that name their own');
  }
  return { dataset: { ...dataset, samples: namedBy(spec, dataset.samples, options) } };
}

async function openFile(place: string, spec: DatasetSpec, options: OpenOptions): Promise<Dataset> {
  const { pathB } = spec;
  await regularFile(place);
  if (/\.(csv|tsv|txt)$/i.test(place)) {
    refuseSecondFolder(spec, 'a manifest');
    return openManifest(place, spec, options);
  }
  if (path.extname(place) === PACK_EXTENSION) {
    refuseSecondFolder(spec, 'a pack');
    refuseColumns(spec, 'a pack');
    refuseManifestFlags(spec, 'a pack');
    refuseSubject(spec, 'a pack, which names its own');
    return openPack(place);
  }
  const files = pathB === undefined ? [place] : [place, pathB];
  for (const file of files) {
    const isFile = (await stat(file)).isFile();
    if (isFile && (await fileKind(file)) !== 'image') continue;
    const what = isFile
      ? 'neither a folder nor a manifest nor a volume'
      : 'a folder, but --data names a file';
    throw new DataError(`${file}: is ${what}. Data is ${WHAT_DATA_IS}.`);
  }
  refuseColumns(spec, 'a volume');
  refuseManifestFlags(spec, 'a volume');
  const modalities = ['a', 'b'].slice(0, files.length);
  const images = files.map((file, i) => [modalities[i], { kind: 'file', path: path.resolve(file) }]);
  const id = stemOf(place);
  const volume: Sample = { id, subject: id, images: Object.fromEntries(images) };
  const samples = namedBy(spec, [volume], options);
  return { name: files.map(stemOf).join('+'), ...(await withSlices(samples, modalities, spec, options)) };
}

/**
 * Leaves the published folds out where `--column fold=null` asks for it. A known data set has no other columns to
 * name.
 */
function withoutFolds(dataset: Dataset, { columns = {}, ...spec }: DatasetSpec): Dataset {
  const { fold, ...others } = columns;
  refuseColumns({ ...spec, columns: fold === null ? others : columns }, dataset.name);
  if (fold !== null) return dataset;
  return { ...dataset, samples: dataset.samples.map(({ fold: _, ...sample }) => sample) };
}
