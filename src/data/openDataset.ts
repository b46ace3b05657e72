/**
 * The room `data` turns what `--data` names into one list of samples, whatever the format. This file is its front door:
 * it has the data read, settles what names mean, and leaves out what is not asked for.
 */
import { DataError, UsageError } from '../errors.js';
import type { DataFault } from './faults.js';
import { openNamed } from './kinds/openNamed.js';
import type { DatasetSpec } from './kinds/spec.js';
import { askedPreprocessing } from './open/askedPreprocessing.js';
import { chosenSamples } from './open/chosenSamples.js';
import { CARD_FILE } from './open/datasetCard.js';
import { readDropList } from './open/dropList.js';
import { classNames, positiveClass } from './open/labels.js';
import { chosenModalities, settleMissing } from './open/modalityNames.js';
import { settleNames, spelledAs } from './open/names.js';
import type { Dataset, Sample } from './sample.js';

export type { DatasetSpec };

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
  const { dataset: opened, classes } = await openNamed(spec, { ...options, dropList });
  const { onWarning } = options;
  const kept = dropList?.without(opened.samples, onWarning) ?? opened.samples;
  const read = chosenModalities({ ...opened, samples: kept }, spec.modalities, onWarning);
  const dataset = settleNames(read, {
    spellings: spec.spellings,
    classes: askedClasses(spec),
    onWarning,
  });
  const asked = asSpelled(spec, dataset);
  const samples = chosenSamples(dataset, classes, { classes: asked.classes, onWarning });
  warnOfClasses(dataset, classNames(samples), asked, onWarning);
  settleMissing({ ...dataset, samples }, onWarning);
  const preprocess = askedPreprocessing({ ...dataset, samples }, spec, onWarning);
  refuseCropOfAligned(samples, preprocess);
  const { maxBytes } = spec;
  return withPositive(
    { ...dataset, samples, ...(preprocess && { preprocess }), ...(maxBytes && { maxBytes }) },
    asked,
    options,
  );
}

/** A crop moves the frame that images were registered in. @throws UsageError for one */
function refuseCropOfAligned(samples: readonly Sample[], preprocess: Dataset['preprocess'] = {}): void {
  const cropped = Object.keys(preprocess).find((modality) => preprocess[modality]?.crop);
  if (cropped === undefined) return;
  const isAligned = ({ images }: Sample) =>
    Object.values(images).some((source) => source.kind === 'file' && source.frame !== undefined);
  if (!samples.some(isAligned)) return;
  throw new UsageError(
    `data.preprocess.${cropped}.crop: these images are aligned as whole ones. Crop them as they are aligned, anatomy data align --write with the same crop, and read what it writes without.`,
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
