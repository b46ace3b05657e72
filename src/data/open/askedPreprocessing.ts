import { UsageError } from '../../errors.js';
import type { Preprocessing } from '../preprocessing.js';
import type { Dataset } from '../sample.js';

/**
 * Puts the preprocessing that is asked for in the place of the data set's own.
 *
 * @throws UsageError if it names a modality that the data does not have
 */
export function askedPreprocessing(
  { modalities, preprocess }: Pick<Dataset, 'modalities' | 'preprocess'>,
  asked: Readonly<Record<string, Preprocessing>> = {},
  onWarning?: (message: string) => void,
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
