import type { Phantom } from '../../phantoms/families.js';
import { shellWords } from '../../text/shell.js';
import type { Raster } from '../sample.js';
import type { DatasetToWrite } from './datasetFolder.js';

/**
 * Makes a data set of files of a phantom. The pixels are those that its name gives at this size; masks come with
 * them, and the parameters of each sample become columns of the manifest.
 *
 * @param name as on the command line, `phantom:fundus,pairs=50`
 */
export function phantomToWrite(
  name: string,
  { dataset, version, pair }: Phantom,
  size: number,
): DatasetToWrite {
  const { modalities, samples, positive, colourCoded } = dataset;
  return {
    modalities,
    samples,
    card: {
      name: dataset.name,
      ...(modalities.length === 2 ? {} : { modalities: [...modalities] }),
      simulated: [...modalities],
      ...(colourCoded === undefined ? {} : { colourCoded: [...colourCoded] }),
      ...(positive === undefined ? {} : { positive }),
      command: shellWords(['anatomy', 'data', 'phantom', name, '--size', `${size}`, '--out', 'FOLDER']),
      version,
      size,
    },
    draw: (sample, index) => {
      const { masks, params, a, b, c } = pair(index, size);
      const drawn = Object.entries({ a, b, ...(c && { c }) });
      return {
        images: Object.fromEntries(drawn.filter(([modality]) => Object.hasOwn(sample.images, modality))),
        masks: Object.fromEntries(Object.entries(masks).map(([mask, data]) => [mask, gray(data, size)])),
        columns: Object.fromEntries(scalars(params)),
      };
    },
  };
}

function gray(data: Uint8Array, size: number): Raster {
  return { width: size, height: size, channels: 1, data };
}

/** Yields the numbers, words and truth values of nested objects, named as in `eye.disc.cup`. Lists are left out. */
function* scalars(value: object, prefix = ''): Generator<[string, string]> {
  for (const [key, entry] of Object.entries(value)) {
    if (Array.isArray(entry) || ArrayBuffer.isView(entry)) continue;
    if (typeof entry === 'object' && entry !== null) yield* scalars(entry, `${prefix}${key}.`);
    else
      yield [
        `${prefix}${key}`,
        typeof entry === 'number' ? String(Number(entry.toPrecision(6))) : String(entry),
      ];
  }
}
