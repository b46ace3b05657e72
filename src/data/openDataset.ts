/**
 * The room `data` turns what `--data` names into one list of samples, whatever the format. This file is its front door:
 * it finds out what is named, lets the reader of that format read it, and is the only one that throws or tells of
 * faulty samples.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError, UsageError } from '../errors.js';
import { openPhantom } from '../phantoms/openPhantom.js';
import { PHANTOM_PREFIX } from '../phantoms/phantomName.js';
import { openSingleImages } from './datasets/classFolders.js';
import { openKnownDataset } from './datasets/index.js';
import { type DataFault, type Findings, problemsError } from './faults.js';
import { fileKind, stemOf } from './formats/fileKind.js';
import { askedPreprocessing } from './open/askedPreprocessing.js';
import { chosenSamples } from './open/chosenSamples.js';
import { WHAT_DATA_IS } from './open/dataNames.js';
import { CARD_FILE, factsOf, readDatasetCard } from './open/datasetCard.js';
import { type DropList, readDropList } from './open/dropList.js';
import { readFolders, readNamedFolders } from './open/folders.js';
import { classNames, positiveClass } from './open/labels.js';
import { readManifest } from './open/manifest.js';
import { type ManifestColumns, ROLES } from './open/manifestColumns.js';
import { checkModalityNames, chosenModalities, settleMissing } from './open/modalityNames.js';
import { type Spellings, settleNames, spelledAs } from './open/names.js';
import { notFound } from './open/notFound.js';
import { namedSubjects, ownSubjectsWarning } from './open/subjects.js';
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
   * or volumes, a pack, tar shards, `phantom:…`. Absent where `folders` name the data.
   */
  readonly path?: string;
  /** The second of two folders that are matched by file name, or the second of two volumes. */
  readonly pathB?: string;
  /** Modality → its folder of images, or its volume, in the place of `path`. Images of one stem are one sample. */
  readonly folders?: Readonly<Record<string, string>>;
  /**
   * The names of the modalities, in their order: of a manifest and of other programs' shards the columns, of other data
   * those to take; absent: `a` and `b`, and whatever other data has.
   */
  readonly modalities?: readonly string[];
  /** A regular expression that finds the patient in a sample's id or the name of its files; see `subjectNamer`. */
  readonly subject?: string;
  /** The folder that the manifest's image paths are relative to; absent: the manifest's. */
  readonly imageRoot?: string;
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
  const { dataset: opened, classes } = await open(spec, { ...options, dropList });
  const { onWarning } = options;
  const read = chosenModalities(opened, spec.modalities, onWarning);
  const kept = dropList?.without(read.samples, onWarning) ?? read.samples;
  const dataset = settleNames(
    { ...read, samples: kept },
    { spellings: spec.spellings, classes: askedClasses(spec), onWarning },
  );
  const asked = asSpelled(spec, dataset);
  const samples = chosenSamples(dataset, classes, { classes: asked.classes, onWarning });
  warnOfClasses(dataset, classNames(samples), asked, onWarning);
  settleMissing({ ...dataset, samples }, onWarning);
  const preprocess = askedPreprocessing(dataset, spec.preprocess, onWarning);
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

/** Names the subjects of samples that are files, as far as that can be, and takes volumes apart. */
async function fromFiles(dataset: Dataset, spec: DatasetSpec, options: OpenOptions): Promise<Dataset> {
  const what = `${dataset.name}: the files name no patients`;
  const samples = await withSubjects(dataset.samples, what, spec, options);
  return { ...dataset, ...(await withSlices(samples, dataset.modalities, spec, options)) };
}

/**
 * Names the subjects of samples each of which is its own so far: by the pattern that is asked for, else by their DICOM
 * headers. Warns of those that stay without.
 *
 * @param what the reason why they have none, as the beginning of the warning
 */
async function withSubjects(
  samples: readonly Sample[],
  what: string,
  spec: DatasetSpec,
  options: OpenOptions,
): Promise<readonly Sample[]> {
  if (spec.subject !== undefined) return namedBy(spec, samples, options);
  const read = settle(await withDicomSubjects(samples, spec.spellings), options);
  const own = read.samples.filter(({ id, subject }) => subject === id);
  // Of DICOM files without a patient is told already.
  if (own.length > 1 && (read.warnings ?? []).length === 0)
    options.onWarning?.(ownSubjectsWarning(what, own));
  return read.samples;
}

/** Names the subjects by the pattern of `--subject`, where there is one. */
function namedBy(
  { subject }: DatasetSpec,
  samples: readonly Sample[],
  options: OpenOptions,
): readonly Sample[] {
  return subject === undefined ? samples : settle(namedSubjects(samples, subject), options).samples;
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
  const { columns, imageRoot } = spec;
  if (imageRoot !== undefined && !(await stat(imageRoot).catch(() => undefined))?.isDirectory()) {
    throw new UsageError(
      `--image-root ${imageRoot}: no such folder. Name the folder that image paths begin in.`,
    );
  }
  const card = await readDatasetCard(path.dirname(file));
  const named = spec.modalities ?? (namesModalities(columns) ? undefined : card.modalities);
  const manifest = await readManifest(file, { columns, modalities: named, imageRoot });
  const { modalities, namesSubjects } = manifest;
  if (namesSubjects) {
    refuseSubject(spec, `a manifest with a column of subjects (--column subject=null if it names none)`);
  }
  settle(manifest, options);
  const what = `${file}: no column "subject" (add it, or name it with --column subject=…)`;
  const samples = namesSubjects
    ? manifest.samples
    : await withSubjects(manifest.samples, what, spec, options);
  return { name, ...(await withSlices(samples, modalities, spec, options)), ...factsOf(card, modalities) };
}

function namesModalities(columns: ManifestColumns = {}): boolean {
  return Object.keys(columns).some((key) => !(ROLES as readonly string[]).includes(key));
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

/** @throws UsageError if images are looked for in a folder that the data does not speak of */
function refuseManifestFlags({ imageRoot }: DatasetSpec, what: string): void {
  if (imageRoot === undefined) return;
  throw new UsageError(
    `--image-root ${imageRoot} goes with a manifest, but --data names ${what}. Leave it out.`,
  );
}

/** @throws UsageError if a pattern is given for subjects that the data names */
function refuseSubject({ subject }: DatasetSpec, what: string): void {
  if (subject === undefined) return;
  throw new UsageError(
    `--subject '${subject}' finds patients in names, but --data names ${what}. Leave it out.`,
  );
}
