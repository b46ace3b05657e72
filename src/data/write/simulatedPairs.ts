import { stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import {
  simulateAngiogram,
  simulatedAngiographyVersion,
} from '../../phantoms/fundus/simulatedAngiography.js';
import { shellWords } from '../../text/shell.js';
import { describeImage } from '../faults.js';
import { readSampleImage } from '../images/readSampleImage.js';
import { resize } from '../images/resize.js';
import { chosenModalities } from '../open/modalityNames.js';
import { type DatasetSpec, openDataset } from '../openDataset.js';
import type { Dataset, Raster } from '../sample.js';
import type { DatasetToWrite } from './datasetFolder.js';

/**
 * Pairs real colour fundus photographs, `a`, with angiograms simulated from them, `b`, to be written as a data set.
 * Labels, subjects and folds stay those of the photographs; the simulation does not see them.
 *
 * @param size the shorter side of the images; smaller photographs stay as they are
 */
export function simulatedPairs(
  photographs: Dataset,
  { size, seed }: { size: number; seed: number },
): DatasetToWrite {
  const { name, positive, modalities } = photographs;
  const modality = modalities.includes('a') ? 'a' : modalities[0]!;
  const { samples } = chosenModalities(photographs, [modality]);
  return {
    modalities: ['a', 'b'],
    samples,
    card: {
      name: `${name}+simulated-angiography`,
      simulated: ['b'],
      ...(positive === undefined ? {} : { positive }),
      command: shellWords([
        ...['anatomy', 'data', 'phantom', '--from', name],
        ...['--size', `${size}`, '--seed', `${seed}`, '--out', 'FOLDER'],
      ]),
      version: simulatedAngiographyVersion,
      size,
    },
    draw: async (sample) => {
      const read = await readSampleImage(photographs, sample, modality, size);
      if (read.channels === 1) {
        throw new DataError(
          `${describeImage(sample, modality)}: is gray, expected a colour fundus photograph. Name the right column with --column a=….`,
        );
      }
      const a = shrink(read, size);
      return { images: { a, b: simulateAngiogram(a, seed, sample.id) } };
    },
  };
}

function shrink(image: Raster, size: number): Raster {
  const scale = Math.min(1, size / Math.min(image.width, image.height));
  return resize(image, Math.round(scale * image.width), Math.round(scale * image.height));
}

/**
 * Opens photographs: any data that `openDataset` opens, of a manifest only their column.
 */
export async function openPhotographs(
  { path: place, columns, ...spec }: DatasetSpec,
  onWarning: (message: string) => void,
): Promise<Dataset> {
  const manifest =
    place !== undefined &&
    (!(await isFolder(place)) ||
      (await stat(path.join(place, 'manifest.csv')).catch(() => undefined)) !== undefined);
  const asked = manifest ? { b: null, ...columns } : columns;
  return openDataset({ path: place, columns: asked, ...spec }, { onWarning, positive: 'optional' });
}

async function isFolder(place: string): Promise<boolean> {
  return (await stat(place).catch(() => undefined))?.isDirectory() ?? false;
}
