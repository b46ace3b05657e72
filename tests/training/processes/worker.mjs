// One of several processes that compute steps together. It makes the same steps alone first and prints, for each method,
// by how much its losses, gradients' effect, banks and inspection differ from them.
// Input, JSON on stdin: { rank, size, port, sets, microBatch, norms, gaps, steps, f64, precision }. Where batch norm is local, the
// steps alone are made in micro-batches as large as a share, as each has statistics of its own then too.
import { text } from 'node:stream/consumers';
import { resolveConfig } from '../../../dist/config/index.js';
import { Sgd } from '../../../dist/optim/index.js';
import { noGrad, ops, ProcessGroup, Random, setThreads, tensor, tidy } from '../../../dist/tensor/index.js';
import { buildMethod } from '../../../dist/training/build.js';
import { trainingStep } from '../../../dist/training/step.js';
import { divideBatch, positionsOf } from '../../../dist/training/together.js';

const {
  rank,
  size,
  port,
  sets,
  microBatch,
  norms = 'sync',
  gaps = false,
  steps = 2,
  f64 = true,
  precision = 'fp32',
} = JSON.parse(await text(process.stdin));
setThreads(1);
const group = new ProcessGroup({
  ...{ host: '127.0.0.1', port, opensStore: rank === 0, rank, size },
  ...{ timeout: 60_000, prefix: 'test' },
});

/** Samples of which no two are alike in number or kind: three subjects, and gaps where they are asked for. */
const modalities = gaps ? ['a', 'b', 'c'] : ['a', 'b'];
const samples = Array.from({ length: 15 }, (_, i) => {
  const has = { a: true, b: !gaps || i % 5 !== 4, c: gaps && i % 3 !== 1 };
  const images = Object.fromEntries(modalities.filter((name) => has[name]).map((name) => [name, 0]));
  return { subject: `patient-${Math.floor(i / 2)}`, label: i % 3 === 0 ? '1' : '0', images };
});

function images(rows, modality) {
  const side = 40;
  const data = rows.map((row) => {
    const random = new Random(modality, row);
    const [across, down] = [random.uniform(0.05, 0.6), random.uniform(0.05, 0.6)];
    const pixel = (_, i) => 127.5 + 120 * Math.sin(across * (i % side) + down * Math.floor(i / side) + row);
    return Uint8Array.from({ length: side * side }, pixel);
  });
  return tensor(Uint8Array.from(data.flatMap((one) => [...one])), [rows.length, 1, side, side]);
}

function pairsOf(rows, epoch) {
  const present = Object.fromEntries(
    modalities
      .map((name) => [name, rows.flatMap((row, place) => (name in samples[row].images ? [place] : []))])
      .filter(([, places]) => places.length < rows.length),
  );
  const pairs = { ids: rows.map((row) => `pair-${row}`), rows, epoch };
  return Object.keys(present).length === 0 ? pairs : { ...pairs, present };
}

function batchOf(rows, epoch) {
  const of = modalities.map((name) => [
    name,
    images(
      rows.filter((row) => name in samples[row].images),
      name,
    ),
  ]);
  return { images: Object.fromEntries(of), ...pairsOf(rows, epoch) };
}

/** Makes the steps; alone without `together`. @returns what is to be equal, by name */
function run(set, { together = false, microBatch = undefined }) {
  const config = resolveConfig({
    set: ['data.size=32', 'model.width=0.125', 'training.precision=fp32', ...set],
  });
  const method = buildMethod(config, { modalities, samples }, 'cpu');
  if (f64) {
    for (const state of method.state().values())
      if (state.dtype === 'f32') noGrad(() => ops.setData(state, state.to({ dtype: 'f64' })));
    const views = method.views.bind(method);
    method.views = (batch) => {
      const made = views(batch);
      return { ...made, images: made.images.to({ dtype: 'f64' }) };
    };
  }
  const optimizer = new Sgd(method.parameters(), { momentum: 0.9, weightDecay: 1e-4 });
  const found = {};
  let divided = 0;
  for (let step = 0; step < steps; step += 1) {
    // In no order, the last batch shorter.
    const rows = [11, 3, 7, 0, 12, 5, 9, 1, 14, 2, 8]
      .map((row) => (row + 4 * step) % 15)
      .slice(0, 11 - 2 * step);
    const whole = pairsOf(rows, step);
    const parts = together && divideBatch(whole, { microBatch: microBatch ?? rows.length, size, norms });
    if (parts) divided += 1;
    const own = parts ? positionsOf(parts, rank).map((position) => rows[position]) : rows;
    const result = tidy(() =>
      trainingStep({
        ...{
          method,
          optimizer,
          batch: batchOf(own, step),
          learningRate: 0.01,
          precision,
          device: 'cpu',
        },
        ...{ microBatch, inspect: true },
        ...(parts ? { together: { group, norms, whole, parts } } : {}),
      }),
    );
    found[`loss ${step}`] = [result.loss];
    for (const [name, value] of Object.entries(result.terms)) found[`${name} ${step}`] = [value];
    for (const [name, value] of Object.entries(result.inspection)) found[`${name} ${step}`] = [value];
  }
  for (const [name, value] of method.state()) found[`state ${name}`] = [...value.toArray()].map(Number);
  optimizer.dispose();
  method.dispose();
  return { found, divided };
}

/** What is measured among the pairs of one forward pass, so that a share of the batch gives another value. */
const MEASURED = /^chance\/(consistency|reconstruction) /;

/**
 * The largest difference, as a share of the largest value. Values below a thousandth are nothing but rounding, such as
 * biases before batch norm.
 */
function difference(values, expected) {
  let [largest, most] = [1e-3, 0];
  for (const [i, value] of expected.entries()) {
    largest = Math.max(largest, Math.abs(value));
    // A value that is not a number is the largest difference there is.
    most = Math.max(most, Number.isFinite(values[i]) ? Math.abs(values[i] - value) : Infinity);
  }
  return most / largest;
}

/** The pairs of a share, where two processes divide the first batch evenly. */
const SHARE = 6;
const report = [];
for (const set of sets) {
  const { found, divided } = run(set, { together: true, microBatch });
  // The others' results are not looked at.
  if (rank !== 0) continue;
  const alone = run(set, { microBatch: norms === 'local' ? SHARE : microBatch });
  const names = Object.keys(alone.found);
  const kinds = { loss: 0, state: 0, inspection: 0 };
  let worst = '';
  for (const name of names) {
    if (MEASURED.test(name) || (norms === 'local' && /running_|num_batches/.test(name))) continue;
    const kind = name.startsWith('state ')
      ? 'state'
      : /^(chance|gradient)/.test(name)
        ? 'inspection'
        : 'loss';
    const own = found[name] === undefined ? Infinity : difference(found[name], alone.found[name]);
    if (own > kinds[kind]) {
      kinds[kind] = own;
      if (kind === 'state') worst = name;
    }
  }
  const missing = names.filter((name) => !(name in found));
  report.push({
    set: set.join(' '),
    ...kinds,
    worst,
    divided,
    missing,
    more: Object.keys(found).length - names.length,
  });
}
console.log(JSON.stringify(report));
