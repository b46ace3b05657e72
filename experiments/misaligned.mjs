/**
 * Real pairs that are off by a known random amount, for PROTOCOL-unaligned.md: the images of a data set as PNG, all but the first
 * modality turned and shifted as those of a phantom are. With --misalignment 0 it writes the same images as they lie, and with
 * --back what a perfect registration would leave of them: back in their place, black where nothing was seen.
 *
 *   node experiments/misaligned.mjs DATA --out FOLDER --misalignment PIXELS [--motion rigid|elastic] [--back] [--drop FILE]
 *       [--seed N] [--overwrite]
 */
import { parseArgs } from 'node:util';
import { invert, similarity } from '../dist/data/align/transformation.js';
import { readSampleImage } from '../dist/data/images/readSampleImage.js';
import { warp } from '../dist/data/images/warp.js';
import { openDataset } from '../dist/data/openDataset.js';
import { writeDatasetFolder } from '../dist/data/write/datasetFolder.js';
import { AnatomyError, UsageError } from '../dist/errors.js';
import { FARTHEST, MOTIONS, misalign, rigidMotion } from '../dist/phantoms/misalignment.js';

const USAGE =
  'usage: node experiments/misaligned.mjs DATA --out FOLDER --misalignment PIXELS [--motion rigid|elastic] [--back] [--drop FILE] [--seed N] [--overwrite]';

/** Ctrl-C leaves nothing half-written. */
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort(new AnatomyError('interrupted; nothing is written')));

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      misalignment: { type: 'string' },
      motion: { type: 'string', default: 'rigid' },
      back: { type: 'boolean' },
      drop: { type: 'string' },
      seed: { type: 'string', default: '0' },
      overwrite: { type: 'boolean' },
    },
  });
  const { out, motion, back = false, drop, overwrite } = values;
  const [data] = positionals;
  if (positionals.length !== 1 || out === undefined || values.misalignment === undefined)
    throw new UsageError(USAGE);
  const misalignment = Number(values.misalignment);
  if (!(misalignment >= 0 && misalignment <= FARTHEST))
    throw new UsageError(
      `--misalignment is ${values.misalignment}, expected pixels of a picture of 224, from 0 to ${FARTHEST}`,
    );
  if (!MOTIONS.includes(motion))
    throw new UsageError(`--motion is ${motion}, expected ${MOTIONS.join(' or ')}`);
  if (back && motion !== 'rigid')
    throw new UsageError(`--motion is ${motion}, expected rigid, as no registration brings others back`);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UsageError(`--seed is ${values.seed}, expected a whole number from 0`);

  const dataset = await openDataset(
    { path: data, drop },
    { positive: 'optional', onWarning: (message) => process.stderr.write(`warning: ${message}\n`) },
  );
  const { modalities, samples, positive, name } = dataset;
  const [reference] = modalities;
  const draw = async (sample) => {
    const images = {};
    for (const modality of Object.keys(sample.images)) {
      const image = await readSampleImage(dataset, sample, modality, 224);
      images[modality] = modality === reference ? image : moved(image, sample.id, modality);
    }
    return { images };
  };
  const moved = (image, id, modality) => {
    if (image.width !== image.height)
      throw new UsageError(
        `${modality} of "${id}" is ${image.width}×${image.height}, expected a square image, as only these are moved`,
      );
    const key = [seed, modality, id];
    const off = misalign(image, { misalignment, motion }, ...key);
    return back ? broughtBack(off, rigidMotion({ misalignment }, image.width, ...key)) : off;
  };
  const card = {
    name:
      misalignment === 0
        ? name
        : `${name}, ${motion}, off by ${misalignment} px${back ? ', brought back' : ''}`,
    ...(modalities.join() === 'a,b' ? {} : { modalities }),
    ...(positive !== undefined && { positive }),
    command: `node experiments/misaligned.mjs --misalignment ${misalignment} --motion ${motion}${back ? ' --back' : ''} --seed ${seed}`,
  };
  const { signal } = interrupted;
  await writeDatasetFolder(out, { card, modalities, samples, draw }, { overwrite, signal });
  process.stdout.write(`✓ ${samples.length} pairs in ${out}\n`);
}

/** The image as it lay before this motion; what had left the frame is black. */
function broughtBack(image, { angle, right, down }) {
  const motion = similarity({ right, down, degrees: (angle * 180) / Math.PI }, image);
  return warp(image, invert(motion), image.width, image.height);
}

await main().catch((error) => {
  if (!(error instanceof AnatomyError || error instanceof TypeError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(interrupted.signal.aborted ? 130 : 2);
});
