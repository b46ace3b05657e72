import { UsageError } from '../../errors.js';
import type { Preprocessing } from '../preprocessing.js';
import type { Dataset } from '../sample.js';

export interface AskedPreprocessing {
  /** What is asked for. It must fit the data. */
  readonly preprocess?: Readonly<Record<string, Preprocessing>> | undefined;
  /** What serves modalities of these names that have none. */
  readonly defaultPreprocess?: Readonly<Record<string, Preprocessing>> | undefined;
}

/**
 * Puts the preprocessing that is asked for in the place of the data set's own.
 *
 * @throws UsageError if it names a modality that the data does not have
 */
export function askedPreprocessing(
  dataset: Pick<Dataset, 'modalities' | 'preprocess' | 'samples'>,
  { preprocess: asked = {}, defaultPreprocess = {} }: AskedPreprocessing,
  onWarning?: (message: string) => void,
): Dataset['preprocess'] {
  const { modalities, preprocess } = dataset;
  for (const [modality, { crop }] of Object.entries(asked)) {
    const setting = `data.preprocess.${modality}`;
    refuseUnknown(modalities, modality, setting);
    if (crop?.kind === 'colour-box') refuseUnknown(modalities, crop.of, `${setting}.crop.of`);
  }
  const usual = Object.entries(defaultPreprocess).filter(([modality, own]) => suits(dataset, modality, own));
  const all = { ...Object.fromEntries(usual), ...preprocess, ...asked };
  if (Object.keys(all).length === 0) return preprocess;
  const crops = new Set(modalities.map((modality) => JSON.stringify(all[modality]?.crop ?? null)));
  if (crops.size > 1 && Object.keys(asked).length > 0) {
    onWarning?.(
      `data.preprocess crops ${modalities.join(' and ')} differently. Their pixels only correspond if the same region is left ` +
        'of both: anatomy data check tells.',
    );
  }
  return all;
}

/** Whether images of the data that are not preprocessed yet can be preprocessed in this way. */
function suits(
  { modalities, samples }: Pick<Dataset, 'modalities' | 'samples'>,
  modality: string,
  { crop }: Preprocessing,
): boolean {
  if (!modalities.includes(modality)) return false;
  if (crop?.kind === 'colour-box' && !modalities.includes(crop.of)) return false;
  return samples.every(({ images }) => (images[modality]?.kind ?? 'file') === 'file');
}

function refuseUnknown(modalities: readonly string[], modality: string, setting: string): void {
  if (modalities.includes(modality)) return;
  throw new UsageError(
    `${setting}: the data has no modality "${modality}", expected one of ${modalities.join(', ')}.`,
  );
}
