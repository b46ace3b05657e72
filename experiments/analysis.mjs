/**
 * Numbers of docs/results.md that stand in no table of `anatomy experiment table`, from the finished cells alone, which
 * `node experiments/results.mjs unpack` gives:
 *
 *   node experiments/analysis.mjs runs/tuning runs/study [manifest-core.csv]
 *
 *   node experiments/analysis.mjs transfer runs/transfer-breast
 *
 * What each factor of the tuning does; the study's AUCs with each fold kept to the candidate that it chose itself in tuning; L_AUG alone
 * against the same training with L_M; finetuning less that from random weights. With the manifest these also among slices at the same
 * place, and whether a row's score tells more than that place. Of a transfer: Ours less the others, by images and data.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { logisticProbe } from '../dist/evaluation/probes/logisticProbe.js';
import { readPredictions, rowOf } from '../dist/evaluation/results/predictions.js';
import { readDescription } from '../dist/experiments/stored/folder.js';
import { compose } from '../dist/experiments/table/compose.js';
import { Entry, meanFoldAuc, pooledMetrics } from '../dist/experiments/table/entries.js';
import { readMatching, resampledMatched } from '../dist/experiments/table/matching.js';
import { Part } from '../dist/experiments/table/part.js';
import { Results } from '../dist/experiments/table/results.js';
import { MessageConsole } from '../dist/log/console.js';
import { featureRows, takeRows } from '../dist/metrics/features/features.js';
import { fixed as shown, signed } from '../dist/text/numbers.js';
import { markdownGrid } from '../dist/text/table/markdown.js';

const [tuning, study, manifest] = process.argv.slice(2);
const BOOTSTRAP = { replicates: 2000, confidence: 0.95, seed: 0 };
const IMAGES = 'a+b';
const METHODS = {
  ours: 'Ours',
  'instdis-all': 'InstDis all',
  simclr: 'SimCLR',
  cmc: 'CMC',
  densecl: 'DenseCL',
};
/** Levels of the factors A, B, C and D of candidates 1 to 8: see tuning.yaml. */
const DESIGN = ['----', '+--+', '-+-+', '++--', '--++', '+-+-', '-++-', '++++'].map((levels) =>
  [...levels].map((level) => (level === '+' ? 1 : -1)),
);

function cell(root, folder, seed, protocol = 'logreg') {
  const file = join(root, 'cells', folder, `seed-${seed}`, protocol);
  if (!existsSync(`${file}.json`)) return undefined;
  const { result } = JSON.parse(readFileSync(`${file}.json`, 'utf8'));
  return { result, predictions: readPredictions(`${file}.csv`, result) };
}

function rowsOf({ result }, features = ['pooled', 'head']) {
  return result.rows.filter(
    ({ source, features: kind, modalities }) =>
      source === 'run' && features.includes(kind) && modalities.join('+') === IMAGES,
  );
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const interval = ({ low, high }, show) => `[${show(low)}, ${show(high)}]`;

function effects() {
  const lines = Object.entries(METHODS).flatMap(([folder, name]) =>
    ['pooled', 'head'].map((kind) => {
      const values = DESIGN.map((_, i) =>
        mean(rowsOf(cell(tuning, `${folder}-${i + 1}`, 0), [kind])[0].validation),
      );
      const contrast = (sign) =>
        signed(DESIGN.reduce((sum, levels, i) => sum + sign(levels) * values[i], 0) / 4);
      // Half of a 2⁴ design cannot tell A·B from C·D, nor the other two pairs of interactions: three contrasts that show the noise.
      const between = [1, 2, 3].map((other) => contrast((levels) => levels[0] * levels[other]));
      return [
        name,
        kind,
        ...[0, 1, 2, 3].map((factor) => contrast((levels) => levels[factor])),
        between.join(' '),
      ];
    }),
  );
  return markdownGrid(['', 'features', 'A crop', 'B mask', 'C rate', 'D own', 'interactions'], lines);
}

/** The candidate that each fold chose in tuning. */
function tuned(folder) {
  const found = DESIGN.map((_, i) => cell(tuning, `${folder}-${i + 1}`, 0));
  const best = (fold) => {
    const scores = found.map((one) => Math.max(...rowsOf(one).map(({ validation }) => validation[fold])));
    return 1 + scores.indexOf(Math.max(...scores));
  };
  return found[0].result.folds.judged.map((_, fold) => best(fold));
}

/** A measurement of a row composed of candidates, each fold only of those it is allowed. */
function measured(folder, candidates, seed, { allowed = () => true, features } = {}) {
  const cells = candidates.map((candidate) =>
    cell(study, candidate === null ? folder : `${folder}-${candidate}`, seed),
  );
  if (cells.includes(undefined)) return undefined;
  const alternatives = cells.flatMap((one, i) =>
    rowsOf(one, features).map((row) => ({
      candidate: String(candidates[i]),
      features: row.features,
      validation: row.validation.map((value, fold) => (allowed(fold, candidates[i]) ? value : -1)),
      predictions: rowOf(one.predictions, row.key),
    })),
  );
  const predicted = compose(alternatives, cells[0].result.folds.judged);
  const { judged } = predicted;
  return { seed, metrics: pooledMetrics(judged), foldMean: meanFoldAuc(judged), predicted };
}

const seeds = [0, 1, 2].filter((seed) => cell(study, 'ours-8', seed) !== undefined);
const entryOf = (of) =>
  new Entry(
    seeds.map(of).filter((one) => one !== undefined),
    { metric: 'auc', bootstrap: BOOTSTRAP },
  );

const ROWS = [
  ['Ours', 'ours', [1, 8], 'ours'],
  ['L_Glo alone', 'l-glo-alone', [1, 8], 'ours'],
  ['InstDis all', 'instdis-all', [3, 4], 'instdis-all'],
  ['SimCLR', 'simclr', [2, 6], 'simclr'],
  ['CMC', 'cmc', [3, 5, 8], 'cmc'],
  ['DenseCL', 'densecl', [3, 7, 8], 'densecl'],
];

function nested() {
  const entries = ROWS.map(([name, folder, candidates, method]) => {
    const own = tuned(method);
    const allowed = (fold, candidate) => own[fold] === candidate;
    return { name, own, entry: entryOf((seed) => measured(folder, candidates, seed, { allowed })) };
  });
  const [ours] = entries;
  const lines = entries.map(({ name, own, entry }) => {
    const difference = ours.entry.minus(entry);
    const less = entry === ours.entry ? '' : `${signed(difference.value)} ${interval(difference, signed)}`;
    return [name, own.join(' '), `${shown(entry.value())} ${interval(entry.interval(), shown)}`, less];
  });
  return markdownGrid(['', 'by fold', 'AUC, A+B', 'Ours −'], lines);
}

/** Candidate 1, over the seeds: all else but L_M is the same. */
function withoutMatching(matching) {
  const forms = [{ features: ['pooled'] }, {}];
  const lines = forms.flatMap((form) => {
    const kinds = [
      ['AUC', {}],
      ...(matching === undefined
        ? []
        : [['matched AUC', { resampled: (one) => resampledMatched(one, matching) }]]),
    ];
    return kinds.map(([name, { resampled }]) => {
      const entry = (folder, candidate) => {
        const found = seeds.flatMap((seed) => measured(folder, [candidate], seed, form) ?? []);
        const told = found.map((one) => {
          const value = resampled?.(one.predicted)() ?? one.metrics.auc;
          return { ...one, metrics: { ...one.metrics, auc: value } };
        });
        return new Entry(told, { metric: 'auc', bootstrap: BOOTSTRAP, resampled });
      };
      const [first, second] = [entry('l-aug-alone', null), entry('l-glo-alone', 1)];
      const difference = first.minus(second);
      const values = [first, second].map((entry) => shown(entry.value()));
      return [
        name,
        form.features?.[0] ?? 'chosen',
        ...values,
        `${signed(difference.value)} ${interval(difference, signed)}`,
      ];
    });
  });
  return markdownGrid(['', 'features', 'L_AUG alone', 'L_AUG and L_M', 'difference'], lines);
}

/** Cross-validated in the folds of the study: the place with the row's score, less the place alone. */
function beyondPlace(matching) {
  const rows = [...ROWS, ['L_AUG alone', 'l-aug-alone', [null]], ['L_C alone', 'l-c-alone', [1, 8]]];
  const scored = (one, withScore) => {
    const { ids, judged } = one.predicted;
    const logit = (i) => {
      const p = Math.min(1 - 1e-9, Math.max(1e-9, judged.probabilities[2 * i + 1]));
      return Math.log(p / (1 - p));
    };
    const columns = withScore ? 4 : 3;
    const data = ids.flatMap((id, i) => {
      const place = matching.values.get(id);
      return [place, place ** 2, place ** 3, ...(withScore ? [logit(i)] : [])];
    });
    const features = featureRows(Float64Array.from(data), ids.length, columns);
    const probabilities = new Float64Array(2 * ids.length);
    for (const fold of new Set(judged.folds)) {
      const of = (inside) => [...ids.keys()].filter((i) => (judged.folds[i] === fold) === inside);
      const [train, test] = [of(false), of(true)];
      const labels = train.map((i) => judged.labels[i]);
      const found = logisticProbe(
        takeRows(features, train),
        labels,
        takeRows(features, test),
        1e4,
      ).probabilities;
      for (const [row, i] of test.entries()) probabilities.set(found.subarray(2 * row, 2 * row + 2), 2 * i);
    }
    const own = { ...judged, probabilities };
    return { seed: one.seed, metrics: pooledMetrics(own), predicted: { ids, judged: own } };
  };
  const lines = rows.map(([name, folder, candidates]) => {
    const entry = (withScore) =>
      entryOf((seed) => {
        const one = measured(folder, candidates, seed);
        return one && scored(one, withScore);
      });
    const [both, alone] = [entry(true), entry(false)];
    const difference = both.minus(alone);
    return [
      name,
      shown(alone.value()),
      shown(both.value()),
      `${signed(difference.value)} ${interval(difference, signed)}`,
    ];
  });
  return markdownGrid(['', 'place alone', 'place and score', 'difference'], lines);
}

/** One row less each of the others, of one protocol on one data set. */
function lessOthers(root, { set, protocol, features, images, reference, others }) {
  const description = readDescription(root);
  const results = new Results({ root, description, set, protocol, setAside: false });
  const part = new Part({ rows: description.rows, results, features, metric: 'auc', bootstrap: BOOTSTRAP });
  const entry = (name) =>
    part.entry(
      description.rows.find((row) => row.name === name),
      'run',
      images,
    );
  return others.map((name) => {
    const { value, low, high, minimumDetectable } = entry(reference).minus(entry(name));
    const where = `${set?.name ?? description.data.name}, ${images}`;
    return [
      where,
      `${reference} − ${name}`,
      `${signed(value)} [${signed(low)}, ${signed(high)}]`,
      shown(minimumDetectable),
    ];
  });
}

const DIFFERENCES = ['', '', 'difference of AUC', 'detectable'];

function finetuned() {
  const protocol = readDescription(study).protocols.find((one) => one.protocol === 'finetune');
  const names = [...ROWS.map(([name]) => name), 'L_AUG alone', 'L_C alone'];
  const lines = names.flatMap((reference) =>
    lessOthers(study, { protocol, features: 'head', images: IMAGES, reference, others: ['w/o pretrain'] }),
  );
  return markdownGrid(DIFFERENCES, lines);
}

function transfer(root) {
  const { protocols, judge } = readDescription(root);
  const own = ['a', IMAGES].map((images) => ({ protocol: protocols[0], images }));
  const others = judge
    .filter(({ absent }) => absent === undefined)
    .map((set) => ({ set, protocol: set.protocols[0], images: 'a' }));
  const common = { features: 'pooled', reference: 'Ours', others: ['L_Glo alone', 'SimCLR', 'InstDis all'] };
  return markdownGrid(
    DIFFERENCES,
    [...own, ...others].flatMap((one) => lessOthers(root, { ...common, ...one })),
  );
}

async function studied() {
  const console = new MessageConsole({ quiet: true });
  const asked = { column: 'slice/n_slices', within: 0.05, data: { path: manifest }, console };
  const matching = manifest && (await readMatching(study, asked));
  return [
    ['Tuning: + less − of the mean inner AUC', effects()],
    [`Each fold kept to its own candidate of the tuning, seeds ${seeds.join(', ')}`, nested()],
    [`Without L_M: candidate 1, seeds ${seeds.join(', ')}`, withoutMatching(matching)],
    ['Finetuned, less from random weights', finetuned()],
    ...(matching ? [['What the score tells beyond the place', beyondPlace(matching)]] : []),
  ];
}

const sections = tuning === 'transfer' ? [['Ours less the others', transfer(study)]] : await studied();
process.stdout.write(`${sections.map(([title, table]) => `## ${title}\n\n${table}`).join('\n\n')}\n`);
