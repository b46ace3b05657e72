/**
 * The numbers of PROTOCOL-2.md, from the finished cells alone: which rows have the highest AUC in the inner folds over all data sets and
 * images, and whether the first of them is not worse than the best other row anywhere.
 *
 *   node experiments/recipe.mjs runs/brain runs/breast runs/fundus [--chosen NAME]
 */
import { parseArgs } from 'node:util';
import { readDescription } from '../dist/experiments/stored/folder.js';
import { mean } from '../dist/experiments/table/entries.js';
import { Part } from '../dist/experiments/table/part.js';
import { Results } from '../dist/experiments/table/results.js';
import { holm } from '../dist/metrics/holm.js';
import { fixed as shown, signed } from '../dist/text/numbers.js';
import { markdownGrid } from '../dist/text/table/markdown.js';

const BOOTSTRAP = { replicates: 2000, confidence: 0.95, seed: 0 };
/** The rows of the paper and the first study, and the controls, which are never chosen. */
const RIVALS = [
  ...['Ours', 'L_Glo alone', 'L_AUG alone', 'InstDis all', 'SimCLR', 'w/o pretrain'],
  ...['branches, no L_M', 'branches, L_M in both'],
];
/** The chosen row with L_C, step 5 of the protocol: it stands beside the others, is never chosen, and no primary test has it. */
const BESIDE = ['branches, crops from 0.2, L_C'];
/** How much lower than the best other row is not worse. */
const MARGIN = 0.02;

const USAGE =
  'usage: node experiments/recipe.mjs RUN... [--chosen ROW]; each RUN is the --out of anatomy experiment run';

/** Ends with a message, as a mistake of who gives the command needs no stack. */
function refuse(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(2);
}

function orRefuse(read) {
  try {
    return read();
  } catch (error) {
    return refuse(error.message);
  }
}

const { values: options, positionals: folders } = orRefuse(() =>
  parseArgs({ allowPositionals: true, options: { chosen: { type: 'string' } } }),
);
if (folders.length === 0) refuse(USAGE);

/** Each data set with the entry of each row on A, on B and on A+B. */
const sets = folders.map((root) => {
  const description = orRefuse(() => readDescription(root));
  const [protocol] = description.protocols;
  const results = new Results({ root, description, protocol, setAside: false });
  const { rows } = description;
  const part = new Part({ rows, results, features: 'chosen', metric: 'auc', bootstrap: BOOTSTRAP });
  const { images } = part;
  const entries = (row) => images.map((image) => part.entry(row, 'run', image));
  return {
    name: description.data.name,
    images,
    rows: new Map(
      rows
        .map((row) => [row.name, entries(row)])
        .filter(([, own]) => own.every(({ measurements }) => measurements.length > 0)),
    ),
    thumbnail: images.map((image) => part.entry(rows[0], 'thumbnail', image)),
  };
});
const columns = sets.flatMap(({ name, images }) => images.map((image) => `${name}, ${image.toUpperCase()}`));
/** The rows that all data sets have. */
const names = [...sets[0].rows.keys()].filter((name) => sets.every(({ rows }) => rows.has(name)));
const entriesOf = (name) => sets.flatMap(({ rows }) => rows.get(name));

/** The mean over seeds and folds of the AUC in the inner folds, at what each fold chose. */
const innerOf = ({ measurements }) =>
  mean(measurements.map(({ choices }) => mean(choices.map(({ validation }) => validation))));

function aucs() {
  const told = (entry) => {
    const { low, high } = entry.interval();
    const spread = entry.deviation === null ? '' : ` ± ${shown(entry.deviation)}`;
    return `${shown(entry.value())}${spread} [${shown(low)}, ${shown(high)}]`;
  };
  const lines = names.map((name) => {
    const entries = entriesOf(name);
    return [
      name,
      `${entries[0].seeds.length}`,
      ...entries.map(told),
      shown(mean(entries.map((one) => one.value()))),
    ];
  });
  const thumbnail = sets.flatMap((set) => set.thumbnail);
  lines.push([
    'thumbnail',
    '',
    ...thumbnail.map((one) => shown(one.value())),
    shown(mean(thumbnail.map((one) => one.value()))),
  ]);
  return markdownGrid(['', 'seeds', ...columns, 'mean'], lines);
}

/** From the highest down. */
const ranked = names
  .map((name) => ({ name, inner: entriesOf(name).map(innerOf) }))
  .map((one) => ({ ...one, mean: mean(one.inner) }))
  .sort((a, b) => b.mean - a.mean);

function choice() {
  const lines = ranked.map(({ name, inner, mean: all }) => [
    name,
    ...inner.map((one) => shown(one)),
    shown(all),
  ]);
  return markdownGrid(['', ...columns, 'mean'], lines);
}

/** Which kind of features the folds chose, over all seeds. */
function kinds() {
  const lines = names.map((name) => [
    name,
    ...entriesOf(name).map(({ measurements }) => {
      const counts = new Map();
      for (const { features } of measurements.flatMap(({ choices }) => choices)) {
        counts.set(features, (counts.get(features) ?? 0) + 1);
      }
      return [...counts]
        .sort(([, a], [, b]) => b - a)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(' ');
    }),
  ]);
  return markdownGrid(['', ...columns], lines);
}

function primary(chosen) {
  const own = entriesOf(chosen);
  const found = own.map((entry, at) => {
    const others = names
      .filter((name) => name !== chosen && !BESIDE.includes(name))
      .map((name) => ({ name, entry: entriesOf(name)[at] }));
    const best = others.reduce((a, b) => (b.entry.value() > a.entry.value() ? b : a));
    return { best: best.name, ...entry.minus(best.entry) };
  });
  const adjusted = holm(found.map(({ pValue }) => pValue));
  const lines = found.map(({ best, value, low, high }, at) => [
    columns[at],
    best,
    `${signed(value)} [${signed(low)}, ${signed(high)}]`,
    low > -MARGIN ? 'yes' : 'no',
    value > 0 && adjusted[at] < 0.05 ? 'yes' : 'no',
    shown(adjusted[at]),
  ]);
  return markdownGrid(['', 'best other', `${chosen} − it`, 'not worse', 'better', 'p, Holm'], lines);
}

/** Against one other row over all data sets, as whoever takes one row for all has it. It describes and tests nothing. */
function againstEach(chosen) {
  const own = entriesOf(chosen);
  const lines = names
    .filter((name) => name !== chosen)
    .map((name) => {
      const differences = entriesOf(name).map((entry, at) => own[at].minus(entry));
      return [
        name,
        ...differences.map(({ value, low, high }) => `${signed(value)} [${signed(low)}, ${signed(high)}]`),
      ];
    });
  return markdownGrid([`${chosen} −`, ...columns], lines);
}

const chosen = options.chosen ?? ranked.find(({ name }) => ![...RIVALS, ...BESIDE].includes(name))?.name;
if (names.length < 2 || chosen === undefined)
  refuse('fewer than two rows, or none to choose, are finished on all data sets');
if (!names.includes(chosen))
  refuse(
    `--chosen is ${chosen}, expected a row that all data sets have: ${names.map((name) => `"${name}"`).join(', ')}`,
  );
const sections = [
  ['AUC, features chosen by inner folds', aucs()],
  ['AUC in the inner folds, which choose', choice()],
  ['Kinds of features that the folds chose', kinds()],
  [`${chosen} less the best other row`, primary(chosen)],
  [`${chosen} less each other row`, againstEach(chosen)],
];
process.stdout.write(`${sections.map(([title, table]) => `## ${title}\n\n${table}`).join('\n\n')}\n`);
