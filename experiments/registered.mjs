/**
 * How far `anatomy data align` is off the truth, for PROTOCOL-unaligned.md: the errors of a data set that it registered, whose pairs
 * were moved apart by a known rigid motion.
 *
 *   node experiments/registered.mjs FOLDER --data DATA ; FOLDER is the --out of data align, DATA what it registered: a phantom with
 *       misalignment=PIXELS,motion=rigid, or what experiments/misaligned.mjs wrote
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compose, invert, meanDistance, similarity } from '../dist/data/align/transformation.js';
import { ALIGNMENT_FILE, readAlignment } from '../dist/data/open/alignment.js';
import { openDataset } from '../dist/data/openDataset.js';
import { AnatomyError, UsageError } from '../dist/errors.js';
import { rigidMotion } from '../dist/phantoms/misalignment.js';
import { PHANTOM_PREFIX, parsePhantomName } from '../dist/phantoms/phantomName.js';

const USAGE = 'usage: node experiments/registered.mjs FOLDER --data DATA';

/** The motion of DATA, and the key that each image's own motion is drawn by. */
function motionsOf(data) {
  if (data.startsWith(PHANTOM_PREFIX)) {
    const { family, options } = parsePhantomName(data);
    const { misalignment, motion, seed = '0' } = options;
    const index = (id) => Number(id.slice(family.length + 1));
    const keyOf = ({ id, modality }) => [
      Number(seed),
      modality === 'b' ? family : `${family} ${modality}`,
      index(id),
    ];
    return { misalignment, motion, keyOf };
  }
  let command = '';
  try {
    ({ command = '' } = JSON.parse(readFileSync(join(data, 'dataset.json'), 'utf8')));
  } catch (error) {
    throw new UsageError(
      `--data is ${data}: ${error.message}. Expected what experiments/misaligned.mjs wrote, or a phantom.`,
    );
  }
  const { values } = parseArgs({
    args: command.split(' '),
    strict: false,
    allowPositionals: true,
    options: {
      misalignment: { type: 'string' },
      motion: { type: 'string' },
      seed: { type: 'string' },
      back: { type: 'boolean' },
    },
  });
  if (values.back)
    throw new UsageError(`--data is ${data}, which was brought back; expected pairs that are off`);
  return { ...values, keyOf: ({ id, modality }) => [Number(values.seed), modality, id] };
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { data: { type: 'string' } },
  });
  const { data } = values;
  const [folder] = positionals;
  if (positionals.length !== 1 || data === undefined) throw new UsageError(USAGE);
  const { misalignment, motion, keyOf } = motionsOf(data);
  if (!(Number(misalignment) > 0) || motion !== 'rigid')
    throw new UsageError(
      `--data is ${data}, off by ${misalignment ?? 'nothing'}, ${motion ?? 'elastic'}; expected pairs that are off by a rigid motion`,
    );

  const { images, reference } = await readAlignment(join(folder, ALIGNMENT_FILE));
  const { modalities } = await openDataset(
    { path: data },
    { positive: 'optional', onWarning: () => undefined },
  );
  if (reference !== modalities[0])
    throw new UsageError(
      `${folder} was registered to ${reference}; expected ${modalities[0]}, which is the one that was not moved`,
    );
  const errors = { moved: [], kept: [], refused: [] };
  let refusedAlthoughRight = 0;
  let unread = 0;
  for (const image of images) {
    const { decision, of, frame, transformation } = image;
    if (of === undefined || frame === undefined) {
      unread += 1;
      continue;
    }
    const { angle, right, down } = rigidMotion(
      { misalignment: Number(misalignment) },
      of.width,
      ...keyOf(image),
    );
    const known = similarity({ right, down, degrees: (angle * 180) / Math.PI }, of);
    const lies = [of.width / frame.width, 0, 0, 0, of.height / frame.height, 0];
    const errorOf = (found) =>
      (meanDistance(found, compose(invert(known), lies), frame) * 224) / Math.max(of.width, of.height);
    errors[decision].push(errorOf(decision === 'moved' ? transformation : lies));
    if (decision === 'refused' && transformation && errorOf(transformation) <= 2) refusedAlthoughRight += 1;
  }
  for (const [decision, found] of Object.entries(errors))
    process.stdout.write(`${[`${decision} ${found.length}`, ...told(found)].join(', ')}\n`);
  process.stdout.write(`found to within 2 px, and refused: ${refusedAlthoughRight}\n`);
  if (unread > 0) process.stdout.write(`an image is missing or could not be read: ${unread}\n`);
}

function told(errors) {
  if (errors.length === 0) return [];
  const sorted = errors.sort((one, other) => one - other);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(2);
  const beyond = (pixels) => sorted.filter((error) => error > pixels).length;
  const far = `${beyond(1)} more than 1 px off, ${beyond(2)} more than 2`;
  return [`median ${at(0.5)} px`, `95 % below ${at(0.95)}`, `worst ${at(1)}`, far];
}

await main().catch((error) => {
  if (!(error instanceof AnatomyError || error instanceof TypeError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(2);
});
