/**
 * How well `anatomy data align` finds known transformations: `npm run bench:registration -- --data NAME --pairs N`.
 *
 * With `--run RUN` by the maps of that run's encoder, in place of elastix.
 *
 * Each pair is registered as it lies, and with its second image turned and moved by a known amount. Errors are the mean
 * distance in pixels between where a point goes and where it should go, of a picture whose longer side is 224.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { readPair } from '../dist/data/align/readPair.js';
import { elastix } from '../dist/data/align/registrars.js';
import { invert, meanDistance, similarity } from '../dist/data/align/transformation.js';
import { warp } from '../dist/data/images/warp.js';
import { mapOrdered } from '../dist/data/mapOrdered.js';
import { openDataset } from '../dist/data/openDataset.js';
import { byEncoder } from '../dist/use/register/encoderRegistration.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'phantom:fundus,pairs=30' },
    pairs: { type: 'string', default: '30' },
    transformation: { type: 'string', default: 'rigid' },
    modalities: { type: 'string', multiple: true },
    run: { type: 'string' },
  },
});
const count = Number(values.pairs);
if (!Number.isInteger(count) || count < 1)
  throw new Error(`--pairs is ${values.pairs}, expected a whole number from 1`);

const dataset = await openDataset(
  { path: values.data, modalities: values.modalities },
  { positive: 'optional', onWarning: () => undefined },
);
const [reference, modality] = dataset.modalities;
const every = Math.max(1, Math.floor(dataset.samples.length / count));
const samples = dataset.samples.filter((_, i) => i % every === 0).slice(0, count);

/** What is done to the second image: what stands at (x, y) comes from where the transformation takes (x, y). */
const MOTIONS = {
  'as it lies': {},
  '(4, −3) px': { right: 4, down: -3 },
  '6°, (8, −5) px': { degrees: 6, right: 8, down: -5 },
  '−12°, (20, 13) px': { degrees: -12, right: 20, down: 13 },
};

const kind = values.transformation;
const method =
  values.run === undefined
    ? elastix(kind)
    : byEncoder(values.run, dataset.modalities, (message) => console.warn(message));
const registrars = await method.open({ kind, gate: 0.5 });
console.log(
  `${dataset.name}: ${samples.length} pairs, ${kind}, ${method.told.tool}, ${method.told.metric}, ${availableParallelism()} threads`,
);
console.log(
  'moved by | moved | kept | refused | error of moved and kept: median | 95 % | worst | more than 1 px off | seconds a pair',
);
for (const [name, motion] of Object.entries(MOTIONS)) {
  const begun = performance.now();
  const outcomes = [];
  const work = async (sample) => {
    const { a, b } = await readPair(dataset, sample, [reference, modality]);
    const known = similarity(motion, a);
    const { decision, transformation } = await registrars.align(a, warp(b, known, a.width, a.height), [
      reference,
      modality,
    ]);
    return { id: sample.id, decision, error: meanDistance(transformation, invert(known), a) };
  };
  for await (const outcome of mapOrdered(samples, registrars.count + 1, work)) outcomes.push(outcome);
  const believed = outcomes.filter(({ decision }) => decision !== 'refused');
  const errors = believed.map(({ error }) => error).sort((one, other) => one - other);
  const at = (share) =>
    errors.length === 0
      ? '–'
      : errors[Math.min(errors.length - 1, Math.floor(share * errors.length))].toFixed(2);
  const number = (decision) => outcomes.filter((one) => one.decision === decision).length;
  const wrong = believed.filter(({ error }) => error > 1);
  const seconds = (performance.now() - begun) / 1000 / samples.length;
  console.log(
    [
      name,
      number('moved'),
      number('kept'),
      number('refused'),
      at(0.5),
      at(0.95),
      at(1),
      wrong.length,
      seconds.toFixed(1),
    ].join(' | '),
  );
  for (const { id, decision, error } of wrong)
    console.log(`  ${id}: ${decision}, ${error.toFixed(1)} px off`);
}
await registrars.close();
