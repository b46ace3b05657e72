import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatConfig, resolveConfig } from '../../src/config/index.js';
import type { JsonLine } from '../../src/log/jsonLines.js';

/** What a run logs, by formulas that a test can repeat. */
export function loggedLines(steps: number): JsonLine[] {
  return Array.from({ length: steps }, (_, i) => {
    const step = i + 1;
    const line = {
      step,
      epoch: 0,
      loss: 40 / step,
      consistency: 0.02 + 0.005 * Math.sin(step),
      global: 4 + 10 / step,
      learningRate: 0.03 * (1 - i / steps),
      pairsPerSecond: 50,
    };
    if (step !== 1 && step % 5 !== 0) return line;
    return {
      ...line,
      'chance/consistency': 0.08 + 0.001 * step,
      'chance/global': 4 * Math.log(8),
      'gradientRatio/map1': 0.004 / step,
      'gradientRatio/map4': 0.3 / step,
      alignment: 1 / step,
      'uniformity/a': -step / 10,
      'uniformity/b': -step / 12,
      'featureDeviation/a': 0.5,
      'featureDeviation/b': 0.4,
      'retrieval/a-to-b': 1 - 1 / step,
      'retrieval/b-to-a': 1 - 1 / (step + 1),
      'knnAuc/a': 0.7,
      'knnAuc/both': 0.8,
    };
  });
}

export interface StoredRun {
  /** Default: the paper's, at three maps. */
  method?: string;
  data?: string;
  /** Steps planned. */
  steps?: number;
  lines?: readonly JsonLine[];
  finished?: boolean;
}

/** A run folder as `pretrain` leaves it, without having trained. */
export function storeRun(
  root: string,
  {
    method,
    data = '../secret/place/pairs.csv',
    steps = 40,
    lines = loggedLines(40),
    finished = true,
  }: StoredRun = {},
): string {
  mkdirSync(root, { recursive: true });
  const set = [
    'data.size=32',
    'model.width=0.25',
    ...(method === undefined ? ['method.maps=[1,2,3]', 'method.patches=[2,2]'] : [`method=${method}`]),
    'training.batchSize=8',
  ];
  const config = resolveConfig({ set, flags: { 'data.path': data, 'training.steps': steps } });
  writeFileSync(join(root, 'config.yaml'), formatConfig(config));
  const provenance = {
    tool: 'anatomy-ssl 0.1.0',
    node: 'v20.20.2',
    torch: '1.13.0',
    platform: 'linux x64',
    cpu: 'A <b>CPU</b>',
    cores: 2,
    threads: 1,
    memoryBytes: 16 * 2 ** 30,
    device: 'cpu',
    precision: 'bf16',
    data: '<script>alert(1)</script> & "pairs"',
    pairs: 24,
    dataHash: 'abc123',
  };
  writeFileSync(join(root, 'provenance.json'), JSON.stringify(provenance));
  writeFileSync(join(root, 'metrics.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  if (finished) writeFileSync(join(root, 'encoder.safetensors'), '');
  return root;
}

const metric = (pooled: number) => ({
  mean: pooled - 0.01,
  std: 0.05,
  folds: [pooled, null],
  skipped: 1,
  pooled,
  low: pooled - 0.06,
  high: pooled + 0.06,
  standardError: 0.03,
});

const row = (source: string, features: string, modalities: string[], auc: number) => ({
  key: `${source}/${features}/${modalities.join('+')}`,
  source,
  features,
  modalities,
  columns: 128,
  metrics: Object.fromEntries(
    ['auc', 'accuracy', 'f1', 'precision', 'recall', 'specificity'].map((name) => [name, metric(auc)]),
  ),
});

/** An evaluation of that run, as its JSON has it. */
export function storeEvaluation(root: string, different: Readonly<Record<string, unknown>> = {}): void {
  mkdirSync(join(root, 'evaluation'), { recursive: true });
  const against = (key: string, value: number) => ({
    row: 'run/pooled/a+b',
    against: key,
    metric: 'auc',
    value,
    low: value - 0.05,
    high: value + 0.05,
    standardError: 0.025,
    pValue: 0.04,
    minimumDetectable: 0.07,
  });
  const result = {
    version: 1,
    tool: 'anatomy-ssl 0.1.0',
    protocol: 'logreg',
    settings: {},
    run: {
      name: 'r',
      method: 'anatomy',
      recipe: 'paper-us-swe',
      seed: 0,
      size: 32,
      precision: 'bf16',
      device: 'cpu',
      encoders: [{ fold: 'none', weights: 'final' }],
    },
    data: {
      name: 'pairs',
      dataHash: 'abc',
      samples: 24,
      subjects: 12,
      modalities: ['a', 'b'],
      classes: ['benign', '<i>malignant</i>'],
      samplesPerClass: [14, 10],
    },
    folds: { source: 'generated', k: 5, judged: [0, 1, 2, 3, 4], inner: 5, seed: 0 },
    setAside: false,
    labels: { fraction: 1, samples: [19], subjects: [10] },
    exposure: { kind: 'transductive', seenTestSamples: 24, testSamples: 24 },
    bootstrap: { replicates: 2000, confidence: 0.95, seed: 0 },
    metrics: ['auc', 'accuracy', 'f1', 'precision', 'recall', 'specificity'],
    rows: [
      row('run', 'pooled', ['a'], 0.7),
      row('run', 'pooled', ['a', 'b'], 0.8),
      row('untrained', 'pooled', ['a', 'b'], 0.65),
      row('thumbnail', 'pixels', ['a', 'b'], 0.79),
    ],
    differences: [against('untrained/pooled/a+b', 0.15), against('thumbnail/pixels/a+b', 0.01)],
    patients: [
      { aggregation: 'mean', subjects: 12, positives: 5, rows: [row('run', 'pooled', ['a', 'b'], 0.85)] },
    ],
    notes: ['A note with <b>markup</b>.'],
    ...different,
  };
  writeFileSync(join(root, 'evaluation', 'logreg.json'), JSON.stringify(result));
}

/** Predictions of that evaluation: the label, bent a little by a formula that differs between rows. */
export function storePredictions(
  root: string,
  classes = ['benign', '<i>malignant</i>'],
  ids?: string[],
): void {
  const keys = ['run/pooled/a', 'run/pooled/a+b', 'untrained/pooled/a+b', 'thumbnail/pixels/a+b'];
  const lines = Array.from({ length: 24 }, (_, i) => {
    const label = i % 12 < 7 ? 0 : 1;
    const name = (kind: string, number: number) => `${kind}-${number.toString(16).padStart(12, '0')}`;
    const values = keys.map((_, k) => (0.3 + 0.3 * label + 0.25 * Math.sin(7 * i + k)).toFixed(4));
    return [ids?.[i] ?? name('P', i), name('S', i % 12), i % 5, classes[label], ...values].join(',');
  });
  writeFileSync(
    join(root, 'evaluation', 'logreg-predictions.csv'),
    `${[['id', 'subject', 'fold', 'label', ...keys].join(','), ...lines].join('\n')}\n`,
  );
}

/** A measurement on pairs of that run, with the zones of a lesion; of 40 subjects unless told otherwise. */
export function storePairs(root: string, file = 'pairs.json', subjects = 40): void {
  const interval = (value: number) => ({ value, low: value - 0.05, high: value + 0.05 });
  const measures = (['run', 'untrained', 'pixels'] as const).flatMap((source) =>
    (['all', 'inside', 'around', 'rest'] as const).map((zone) => ({
      ...{ claim: 'agreement', source, features: 'map3', grid: 8, zone, pairs: 60, subjects },
      ...interval(zone === 'inside' ? 0.7 : 0.4),
      key: `agreement/${source}/map3/8x8/${zone}`,
      chance: interval(0.1),
      againstChance: { kind: 'difference', ...interval(0.3) },
      ...(zone === 'inside' || zone === 'around'
        ? { againstRest: { kind: 'difference', ...interval(0.3) } }
        : {}),
    })),
  );
  const result = {
    ...{ version: 1, tool: 'anatomy-ssl 0.1.0', protocol: 'pairs', settings: {}, measures },
    run: { name: 'r', recipe: 'x', seed: 0, size: 32, precision: 'fp32', device: 'cpu', encoders: [] },
    data: {
      ...{ name: 'pairs', dataHash: 'abc', pairs: 60, subjects, modalities: ['a', 'b'], withLesion: 60 },
      ...{ chosen: file === 'pairs.json' ? 'all' : 'set-aside', setAside: 0 },
    },
    exposure: { kind: 'transductive', seenTestSamples: 60, testSamples: 60 },
    bootstrap: { replicates: 2000, confidence: 0.95, seed: 0 },
    ...{ projections: [], examples: [], notes: [] },
  };
  mkdirSync(join(root, 'evaluation'), { recursive: true });
  writeFileSync(join(root, 'evaluation', file), JSON.stringify(result));
}
