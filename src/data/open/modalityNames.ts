/** Checks the names of modalities, and chooses among the modalities that the data has. */
import { DataError, UsageError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import { visibleName } from '../../text/normalForm.js';
import { shellWords } from '../../text/shell.js';
import { isUnsafeKey } from '../../text/unsafeKey.js';
import type { Dataset, Sample } from '../sample.js';
import { ROLES } from './manifestColumns.js';

/**
 * Refuses what cannot name a modality. `a+b` names a set of modalities and `any` all that a sample has, a comma parts
 * names, and a slash parts folders.
 *
 * @param flag the flag or setting that names them, for messages
 * @throws UsageError for the first name that cannot be used
 */
export function checkModalityNames(names: readonly string[], flag: string): void {
  for (const [i, name] of names.entries()) {
    const refuse = (why: string) =>
      new UsageError(`${flag}: ${visibleName(name)} ${why}. Choose another name, such as flair, t1 or t1c.`);
    if (name.trim() !== name || name === '') throw refuse('is empty or has a space at its end');
    if (/[\p{C}\u2028\u2029]/u.test(name)) throw refuse('has a character that is not shown');
    const [sign] = /[+/,\\=]/.exec(name) ?? [];
    if (sign !== undefined) throw refuse(`has ${sign === '\\' ? 'a backslash' : `"${sign}"`} in it`);
    if ((ROLES as readonly string[]).includes(name)) throw refuse('is a role of a column and no modality');
    if (name === 'any' || isUnsafeKey(name) || /^\d+$/.test(name)) throw refuse('cannot name a modality');
    if (names.indexOf(name) < i)
      throw new UsageError(`${flag}: ${visibleName(name)} is named twice. Name it once.`);
  }
}

/**
 * Keeps the modalities that are asked for, in the order asked for. Samples that have none of them are left out, with a
 * warning.
 *
 * @throws UsageError for a name that the data does not have, with the nearest that it has
 */
export function chosenModalities<
  Set extends Pick<Dataset, 'name' | 'modalities' | 'samples' | 'colourCoded' | 'simulated'>,
>(dataset: Set, asked: readonly string[] | undefined, onWarning?: (message: string) => void): Set {
  if (asked === undefined) return dataset;
  const { name, modalities, samples, colourCoded, simulated } = dataset;
  for (const one of asked) {
    if (modalities.includes(one)) continue;
    const meant = nearest(one, modalities);
    throw new UsageError(
      `--modalities: ${name} has no modality "${one}"; it has ${modalities.join(', ')}.` +
        (meant === undefined ? '' : ` Did you mean "${meant}"?`),
    );
  }
  if (asked.length === modalities.length && asked.every((one, i) => one === modalities[i])) return dataset;
  const kept = samples.flatMap((sample) => {
    const images = imagesOf(sample, asked);
    return Object.keys(images).length === 0 ? [] : [{ ...sample, images }];
  });
  const left = samples.length - kept.length;
  if (left > 0) {
    onWarning?.(
      `${name}: ${left} of ${samples.length} samples ${left === 1 ? 'is' : 'are'} left out, as ` +
        `${left === 1 ? 'it has' : 'they have'} no image of ${asked.join(', ')}.`,
    );
  }
  const among = (names: readonly string[] | undefined) => names?.filter((one) => asked.includes(one));
  return {
    ...dataset,
    modalities: [...asked],
    samples: kept,
    ...(colourCoded && { colourCoded: among(colourCoded) }),
    ...(simulated && { simulated: among(simulated) }),
  };
}

/** Gives those of a sample's images that are there, in the order of the modalities. */
export function imagesOf(
  { images }: Pick<Sample, 'images'>,
  modalities: readonly string[],
): Sample['images'] {
  return Object.fromEntries(
    modalities.flatMap((one) => (Object.hasOwn(images, one) ? [[one, images[one]!] as const] : [])),
  );
}

/**
 * Tells once how many samples lack which modality.
 *
 * @throws DataError if no sample has an image of a modality, as nothing could be learned about it
 */
export function settleMissing(
  { name, modalities, samples }: Pick<Dataset, 'name' | 'modalities' | 'samples'>,
  onWarning?: (message: string) => void,
): void {
  if (samples.length === 0) return;
  const lacking = modalities.map(
    (one) => [one, samples.filter(({ images }) => !Object.hasOwn(images, one)).length] as const,
  );
  const absent = lacking.filter(([, count]) => count === samples.length).map(([one]) => one);
  if (absent.length > 0) {
    const others = modalities.filter((one) => !absent.includes(one));
    throw new DataError(
      `${name}: none of its ${samples.length} samples has an image of ${absent.join(' or ')}. ` +
        `Add images, or leave ${absent.length === 1 ? 'the modality' : 'them'} out: --modalities ${shellWords(others)}.`,
    );
  }
  const some = lacking.filter(([, count]) => count > 0);
  if (some.length === 0) return;
  const complete = samples.filter(({ images }) =>
    modalities.every((one) => Object.hasOwn(images, one)),
  ).length;
  const [[first, count], ...rest] = some as [[string, number], ...(readonly [string, number])[]];
  const counts = rest.map(([one, many]) => `, ${many} lack ${one}`).join('');
  onWarning?.(
    `${name}: ${count} of ${samples.length} samples ${count === 1 ? 'lacks' : 'lack'} ${first}${counts.replaceAll(/(\b1) lack /g, '$1 lacks ')}; ` +
      `${complete === 0 ? 'none is' : complete === 1 ? '1 is' : `${complete} are`} complete. What a sample lacks is left out where it is needed, and ` +
      'its other images are used.',
  );
}
