/**
 * The numbers of PROTOCOL-unaligned.md, from finished cells alone: each row at each step of misalignment, less itself where
 * pairs are aligned, and less Eq. 5 at the same step. Of several seeds the mean, with each in brackets.
 *
 *   node experiments/unaligned.mjs ALIGNED STEP... ; each is the --out of anatomy experiment run, ALIGNED that of aligned pairs
 */
import { basename } from 'node:path';
import { resampledAuc } from '../dist/evaluation/summary/rowMetrics.js';
import { readDescription } from '../dist/experiments/stored/folder.js';
import { mean } from '../dist/experiments/table/entries.js';
import { pairsOf } from '../dist/experiments/table/pairs.js';
import { Part } from '../dist/experiments/table/part.js';
import { Results } from '../dist/experiments/table/results.js';
import { bootstrapDifference, meanOf } from '../dist/metrics/bootstrap.js';
import { fixed as shown, signed } from '../dist/text/numbers.js';
import { markdownGrid } from '../dist/text/table/markdown.js';

const BOOTSTRAP = { replicates: 2000, confidence: 0.95, seed: 0 };
/** The row that all others are compared with. */
const REFERENCE = 'Eq. 5';
/** What is told of the pairs: the patches of map 2 in an 8×8 grid, and mates found first. */
const AGREEMENT = ['agreement/run/map2/8x8/all'];
const RETRIEVAL = ['retrieval/run/head/a-to-b', 'retrieval/run/head/b-to-a'];

/** Ends with a message, as a mistake of who gives the command needs no stack. */
function refuse(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(2);
}

const folders = process.argv.slice(2);
if (folders.length === 0) refuse('usage: node experiments/unaligned.mjs ALIGNED STEP...');

const steps = folders.map((root) => {
  let description;
  try {
    description = readDescription(root);
  } catch (error) {
    refuse(error.message);
  }
  const set = description.judge.find(({ name }) => name === 'aligned');
  if (set === undefined) refuse(`${root}: nothing is judged on "aligned"; expected a run of unaligned.yaml`);
  const protocol = set.protocols.find((one) => one.protocol === 'logreg');
  const results = new Results({ root, description, set, protocol, setAside: false });
  const { rows } = description;
  const part = new Part({ rows, results, features: 'chosen', metric: 'auc', bootstrap: BOOTSTRAP });
  const found = rows
    .map((row) => ({ row, entries: part.images.map((image) => part.entry(row, 'run', image)) }))
    .filter(
      ({ entries }) => entries.length > 0 && entries.every(({ measurements }) => measurements.length > 0),
    );
  const pairs = pairsOf(root, description).found.filter((one) => one.set === 'aligned');
  const measuresOf = (row) => pairs.filter((one) => one.row === row).map(({ record }) => record.measures);
  return {
    name: basename(root),
    rows: new Map(found.map(({ row, entries }) => [row.name, entries])),
    pairs: new Map(pairs.map(({ row }) => [row, measuresOf(row)])),
  };
});
const [aligned] = steps;

const seedsOf = ([{ measurements }]) => measurements.map(({ seed }) => seed);

/** The mean of the AUC over the images and some seeds of a row, as a metric of a resampled data set. */
const meanAuc = (entries, seeds) =>
  meanOf(
    entries.flatMap(({ measurements }) =>
      measurements
        .filter(({ seed }) => seeds.includes(seed))
        .map(({ predicted }) => resampledAuc(predicted.judged)),
    ),
  );

/** Over the seeds that both have. */
function difference(own, other) {
  const seeds = seedsOf(own).filter((seed) => seedsOf(other).includes(seed));
  if (seeds.length === 0) return undefined;
  const [one, two] = [own, other].map(([entry]) => entry.measurements[0].predicted);
  if (one.ids.some((id, i) => id !== two.ids[i])) refuse('two steps were judged on other samples');
  return bootstrapDifference(meanAuc(own, seeds), meanAuc(other, seeds), one.judged.subjects, BOOTSTRAP);
}

const told = (found) => found && `${signed(found.value)} [${signed(found.low)}, ${signed(found.high)}]`;
/** Of several seeds the mean, and each: an interval over patients would hide how far they lie apart. */
const ofSeeds = (seeds) =>
  seeds.length > 1 ? `${shown(mean(seeds))} (${seeds.map((one) => shown(one)).join(', ')})` : undefined;
const value = ({ value: of, low, high }) => `${shown(of)} [${shown(low)}, ${shown(high)}]`;

/** One line a row, one column a step; a cell is empty where the row was not run. */
function table(title, cell) {
  const lines = allNames.map((name) => [name, ...steps.map((step) => cell(step, name) ?? '')]);
  return `## ${title}\n\n${markdownGrid(['', ...steps.map((step) => step.name)], lines)}`;
}

const allNames = [...new Set(steps.flatMap(({ rows }) => [...rows.keys()]))];

const aucs = table('Mean AUC of A, B and A+B', ({ rows }, name) => {
  const entries = rows.get(name);
  if (entries === undefined) return undefined;
  const seeds = seedsOf(entries).map((_, i) =>
    mean(entries.map((entry) => entry.measurements[i].metrics.auc)),
  );
  return ofSeeds(seeds) ?? shown(seeds[0]);
});
const costs = table('The same, less itself at the first step', ({ rows }, name) => {
  const [own, before] = [rows.get(name), aligned.rows.get(name)];
  return own && before && own !== before ? told(difference(own, before)) : undefined;
});
const helps = table(`The same, less ${REFERENCE} at the same step`, ({ rows }, name) => {
  const [own, reference] = [rows.get(name), rows.get(REFERENCE)];
  return own && reference && own !== reference ? told(difference(own, reference)) : undefined;
});

/** The mean of the measures of such keys, beyond chance. Its interval is the mean of theirs. */
function measured(measures, keys) {
  const found = keys.map((key) => measures.find((one) => one.key === key)?.againstChance);
  if (found.some((one) => one === undefined)) return undefined;
  const [value, low, high] = ['value', 'low', 'high'].map((end) => mean(found.map((one) => one[end])));
  return { value, low, high };
}
const ofPairs = (title, keys) =>
  table(title, ({ pairs }, name) => {
    const seeds = (pairs.get(name) ?? []).map((measures) => measured(measures, keys));
    if (seeds.length === 0 || seeds.includes(undefined)) return undefined;
    return ofSeeds(seeds.map((one) => one.value)) ?? value(seeds[0]);
  });

process.stdout.write(
  `${[
    aucs,
    costs,
    helps,
    ofPairs('Agreement of patches beyond chance, map 2, 8×8', AGREEMENT),
    ofPairs('Mates found first, less chance, both ways', RETRIEVAL),
  ].join('\n\n')}\n`,
);
