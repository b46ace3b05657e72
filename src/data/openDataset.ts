/**
 * The room `data` turns what `--data` names into one list of samples, whatever the format. This file is its front door:
 * it finds out what is named, lets the reader of that format read it, and is the only one that throws or tells of
 * faulty samples.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError, UsageError } from '../errors.js';
import { openPhantom } from '../phantoms/openPhantom.js';
import { PHANTOM_PREFIX } from '../phantoms/phantomName.js';
import { nearest } from '../text/nearest.js';
import { openKnownDataset } from './datasets/index.js';
import { type DataFault, type Findings, problemsError } from './faults.js';
import { fileKind, stemOf } from './formats/fileKind.js';
import { chosenSamples } from './open/chosenSamples.js';
import { WHAT_DATA_IS } from './open/dataNames.js';
import { CARD_FILE, readDatasetCard } from './open/datasetCard.js';
import { type DropList, readDropList } from './open/dropList.js';
import { readFolders } from './open/folders.js';
import { classNames, positiveClass } from './open/labels.js';
import { readManifest } from './open/manifest.js';
import type { ManifestColumns } from './open/manifestColumns.js';
import { type Spellings, settleNames, spelledAs } from './open/names.js';
import { openPack, PACK_EXTENSION } from './pack/pack.js';
import type { Preprocessing } from './preprocessing.js';
import { regularFile } from './regularFile.js';
import type { Dataset, Sample } from './sample.js';
import { isShards, openShards } from './shards/shards.js';
import { withDicomSubjects } from './volumes/dicomSubjects.js';
import { expandVolumes, type VolumeOptions } from './volumes/volumes.js';

/** The name of a data set, as every command line and every config gives it. */
export interface DatasetSpec {
  /**
   * A place or name of the kinds that `WHAT_DATA_IS` lists: a manifest, a known data set's folder, one of two folders
   * or volumes, a pack, tar shards, `phantom:…`.
   */
  readonly path: string;
  /** The second of two folders that are matched by file name, or the second of two volumes. */
  readonly pathB?: string;
  /** Role → column name in the manifest; see `ManifestColumns`. */
  readonly columns?: ManifestColumns;
  /** The class that counts as positive; needed where the names of the classes do not tell. */
  readonly positive?: string;
  /** The classes whose samples are taken; absent: all, or those that users of a known data set take. */
  readonly classes?: readonly string[];
  /** What becomes of subjects and classes whose names differ in spelling alone; absent: they are joined. */
  readonly spellings?: Spellings;
  /** A file that lists samples to leave out, as `data check --drop-list` writes it. */
  readonly drop?: string;
  readonly preprocess?: Readonly<Record<string, Preprocessing>>;
  readonly volumes?: VolumeOptions;
  /** The most bytes that one image or volume may take when it is decoded; absent: 512 MiB. */
  readonly maxBytes?: number;
}

export interface OpenDatasetOptions {
  /** Is told what was assumed where the data leaves something out. */
  onWarning?: (message: string) => void;
  /** With `optional`, a positive class that cannot be told is left open with a warning instead of refused. */
  positive?: 'required' | 'optional';
  /**
   * Is told of each sample that cannot be used, which is then left out. Without it, the first check that samples fail
   * ends in a DataError. The audit listens here, as it reports all faults.
   */
  onFault?: (fault: DataFault) => void;
}

/**
 * Opens what `--data` names. Nothing is decoded yet, but every file is checked to be there.
 *
 * @throws DataError if the data is missing or inconsistent, UsageError if the name itself is wrong
 */
export async function openDataset(spec: DatasetSpec, options: OpenDatasetOptions = {}): Promise<Dataset> {
  const dropList = spec.drop === undefined ? undefined : await readDropList(spec.drop);
  const { dataset: read, classes } = await open(spec, { ...options, dropList });
  const { onWarning } = options;
  const kept = dropList?.without(read.samples, onWarning) ?? read.samples;
  const dataset = settleNames(
    { ...read, samples: kept },
    { spellings: spec.spellings, classes: askedClasses(spec), onWarning },
  );
  const asked = asSpelled(spec, dataset);
  const samples = chosenSamples(dataset, classes, { classes: asked.classes, onWarning });
  warnOfClasses(dataset, classNames(samples), asked, onWarning);
  const preprocess = checkedPreprocessing(dataset, spec.preprocess, onWarning);
  const { maxBytes } = spec;
  return withPositive(
    { ...dataset, samples, ...(preprocess && { preprocess }), ...(maxBytes && { maxBytes }) },
    asked,
    options,
  );
}

function askedClasses({ classes = [], positive }: DatasetSpec): readonly string[] {
  return positive === undefined ? classes : [...classes, positive];
}

/** Puts the data's spelling of the classes in the place of the one that is asked for, where spellings are joined. */
function asSpelled(spec: DatasetSpec, { samples }: Dataset): Pick<DatasetSpec, 'classes' | 'positive'> {
  const { classes, positive, spellings } = spec;
  if (spellings === 'keep') return { classes, positive };
  const names = classNames(samples);
  return {
    classes: classes && [...new Set(classes.map((name) => spelledAs(name, names)))],
    positive: positive === undefined ? undefined : spelledAs(positive, names),
  };
}

interface OpenOptions extends Pick<OpenDatasetOptions, 'onWarning' | 'onFault'> {
  readonly dropList?: DropList;
}

/**
 * Throws or tells what a reader found, and hands the reading on. Faults of samples that the drop list names are
 * passed over.
 *
 * @throws DataError for the first check that samples failed, where there is no `onFault`; or the reader's refusal
 */
function settle<Read extends Findings>(read: Read, { onWarning, onFault, dropList }: OpenOptions): Read {
  for (const { headline, fix, faulty } of read.faults) {
    const left = faulty.filter(({ id }) => !dropList?.drops(id));
    if (left.length === 0) continue;
    if (onFault === undefined) {
      const all = left.flatMap(({ problems }) => problems);
      throw problemsError(headline(all.length), all, fix);
    }
    for (const { problems, ...fault } of left) onFault({ ...fault, message: problems.join('; ') });
  }
  if (read.refusal !== undefined) throw read.refusal;
  for (const warning of read.warnings ?? []) onWarning?.(warning);
  return read;
}

interface Opened {
  readonly dataset: Dataset;
  /** The classes to take where none are asked for. */
  readonly classes?: readonly string[];
}

async function open(spec: DatasetSpec, options: OpenOptions): Promise<Opened> {
  const { path: place, pathB } = spec;
  const { onWarning } = options;
  if (place.startsWith(PHANTOM_PREFIX)) {
    refuseSecondFolder(spec, 'a phantom');
    refuseColumns(spec, 'a phantom');
    return { dataset: (await openPhantom(place)).dataset };
  }
  const found = await stat(place).catch(() => undefined);
  const shards = async () => ({ dataset: await openShards(place, { onWarning, columns: spec.columns }) });
  if (found?.isDirectory() !== true && pathB === undefined && isShards(place)) return shards();
  if (found === undefined) throw await notFound(place);
  if (pathB !== undefined && (await stat(pathB).catch(() => undefined)) === undefined)
    throw await notFound(pathB);
  if (!found.isDirectory()) return { dataset: await openFile(spec, options) };
  if (pathB !== undefined) {
    refuseColumns(spec, 'two folders');
    const pairs = settle(await readFolders(place, pathB), options);
    const { samples } = settle(await withDicomSubjects(pairs.samples, spec.spellings), options);
    return {
      dataset: {
        name: [place, pathB].map((folder) => path.basename(path.resolve(folder))).join('+'),
        ...(await withSlices(samples, ['a', 'b'], spec, options)),
      },
    };
  }
  const manifest = path.join(place, 'manifest.csv');
  if ((await stat(manifest).catch(() => undefined)) !== undefined) {
    return { dataset: await openManifest(manifest, spec, options) };
  }
  const known = await openKnownDataset(place);
  if (known !== undefined) {
    settle(known, options);
    const { samples } = settle(await withDicomSubjects(known.dataset.samples, spec.spellings), options);
    return { dataset: withoutFolds({ ...known.dataset, samples }, spec), classes: known.classes };
  }
  // Shards come after known data sets, which may still lie beside the archive that they came in.
  if (isShards(place)) return shards();
  throw new DataError(
    `${place}: is a folder without manifest.csv, and no data set that is known by its layout. Name the second folder of ` +
      'the pairs with --data-b, or write a manifest with the columns id,subject,a,b,label. ' +
      `Data is ${WHAT_DATA_IS}.`,
  );
}

async function openFile(spec: DatasetSpec, options: OpenOptions): Promise<Dataset> {
  const { path: place, pathB } = spec;
  await regularFile(place);
  if (/\.(csv|tsv|txt)$/i.test(place)) {
    refuseSecondFolder(spec, 'a manifest');
    return openManifest(place, spec, options);
  }
  if (path.extname(place) === PACK_EXTENSION) {
    refuseSecondFolder(spec, 'a pack');
    refuseColumns(spec, 'a pack');
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
  const modalities = ['a', 'b'].slice(0, files.length);
  const images = files.map((file, i) => [modalities[i], { kind: 'file', path: path.resolve(file) }]);
  const id = stemOf(place);
  const volume: Sample = { id, subject: id, images: Object.fromEntries(images) };
  return { name: files.map(stemOf).join('+'), ...(await withSlices([volume], modalities, spec, options)) };
}

async function withSlices(
  samples: readonly Sample[],
  modalities: readonly string[],
  { volumes, maxBytes }: DatasetSpec,
  options: OpenOptions,
): Promise<Pick<Dataset, 'modalities' | 'samples'>> {
  return { modalities, samples: settle(await expandVolumes(samples, volumes, maxBytes), options).samples };
}

/** Warns of what becomes of the classes without anybody having asked for it. */
function warnOfClasses(
  { name, positive }: Dataset,
  classes: readonly string[],
  { positive: asked }: Pick<DatasetSpec, 'positive'>,
  onWarning: OpenDatasetOptions['onWarning'],
): void {
  const quoted = (names: readonly string[]) => names.map((one) => JSON.stringify(one)).join(', ');
  if (asked !== undefined || positive === undefined || !classes.includes(positive) || classes.length < 3)
    return;
  onWarning?.(
    `${name}: of ${classes.length} classes the data set itself, or ${CARD_FILE} beside it, names "${positive}" the positive one, so ` +
      `${quoted(classes.filter((one) => one !== positive))} together are the negative one. Choose classes with --classes; ` +
      `to keep all apart, take "positive" out of ${CARD_FILE}.`,
  );
}

function withPositive(
  dataset: Dataset,
  { positive: asked }: Pick<DatasetSpec, 'positive'>,
  { onWarning, positive = 'required' }: OpenDatasetOptions,
): Dataset {
  const { positive: own, ...rest } = dataset;
  if (asked === undefined && own !== undefined && classNames(dataset.samples).includes(own)) return dataset;
  try {
    return { ...rest, positive: positiveClass(dataset.samples, asked) };
  } catch (error) {
    if (positive === 'required' || asked !== undefined || !(error instanceof DataError)) throw error;
    onWarning?.(`${error.message} Until then no monitor looks at the labels.`);
    return rest;
  }
}

/**
 * Puts the preprocessing that is asked for in the place of the data set's own.
 *
 * @throws UsageError if it names a modality that the data does not have
 */
function checkedPreprocessing(
  { modalities, preprocess }: Dataset,
  asked: DatasetSpec['preprocess'] = {},
  onWarning: OpenDatasetOptions['onWarning'],
): Dataset['preprocess'] {
  for (const [modality, { crop }] of Object.entries(asked)) {
    const setting = `data.preprocess.${modality}`;
    refuseUnknown(modalities, modality, setting);
    if (crop?.kind === 'colour-box') refuseUnknown(modalities, crop.of, `${setting}.crop.of`);
  }
  if (Object.keys(asked).length === 0) return preprocess;
  const all = { ...preprocess, ...asked };
  const crops = new Set(modalities.map((modality) => JSON.stringify(all[modality]?.crop ?? null)));
  if (crops.size > 1) {
    onWarning?.(
      `data.preprocess crops ${modalities.join(' and ')} differently. Their pixels only correspond if the same region is left ` +
        'of both: anatomy data check tells.',
    );
  }
  return all;
}

function refuseUnknown(modalities: readonly string[], modality: string, setting: string): void {
  if (modalities.includes(modality)) return;
  throw new UsageError(
    `${setting}: the data has no modality "${modality}", expected one of ${modalities.join(', ')}.`,
  );
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

async function openManifest(file: string, spec: DatasetSpec, options: OpenOptions): Promise<Dataset> {
  const stem = path.parse(file).name;
  // The name "manifest" says nothing, but that of its folder does.
  const name = stem === 'manifest' ? path.basename(path.dirname(path.resolve(file))) : stem;
  const manifest = await readManifest(file, spec.columns);
  const { modalities, namesSubjects } = manifest;
  if (!namesSubjects) {
    options.onWarning?.(
      `${file}: no column "subject", so every sample counts as a patient of its own unless it is a DICOM file that names one. ` +
        'If patients have several samples, add the column or name it with --column subject=….',
    );
  }
  settle(manifest, options);
  const { samples } = namesSubjects
    ? manifest
    : settle(await withDicomSubjects(manifest.samples, spec.spellings), options);
  const card = await readDatasetCard(path.dirname(file), modalities);
  return { name, ...(await withSlices(samples, modalities, spec, options)), ...card };
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

/**
 * Makes the error that says where a path stops being right, with the nearest name in the deepest folder that exists.
 */
async function notFound(place: string): Promise<DataError> {
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
