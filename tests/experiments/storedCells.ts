import { resolveConfig, type Tree } from '../../src/config/index.js';
import {
  type ExperimentDescription,
  evaluationId,
  pretrainingId,
  type StoredResult,
  writeCell,
  writeDescription,
} from '../../src/experiments/folder.js';
import { paperNumbers } from '../../src/experiments/paperNumbers.js';

export const description: ExperimentDescription = {
  version: 1,
  name: 'methods',
  description: 'Two rows & a missing one.',
  smoke: false,
  data: { name: 'pairs', pairs: 1866, subjects: 80 },
  seeds: [0],
  protocols: ['logreg'],
  rows: [
    { name: 'Ours', folder: 'ours', paper: paperNumbers({ table: 1, row: 'Ours' }) },
    { name: 'L_C alone', folder: 'l-c-alone', paper: paperNumbers({ table: 2, row: 'Consistency' }) },
    { name: 'authors', folder: 'authors' },
  ],
};

export function storeExperiment(root: string, different: Partial<ExperimentDescription> = {}): void {
  writeDescription(root, { ...description, ...different });
}

export interface StoredEvaluation {
  seed?: number;
  protocol?: 'logreg' | 'linear';
  /** AUC of pooled A+B; others lie below by formulas that a test can repeat. */
  auc: number;
  untrained?: number;
  exposure?: 'transductive' | 'in-fold' | 'untrained';
  steps?: number;
  notes?: string[];
  dataHash?: string;
}

const IMAGES = [['a'], ['b'], ['a', 'b']];
/** B lies below A+B by this, A by twice, the head by a tenth of it more. */
const STEP = 0.02;

/** A finished pretraining and a finished evaluation of it, as a run of the experiment leaves them. */
export function storeCells(root: string, row: string, options: StoredEvaluation): void {
  const { seed = 0, protocol = 'logreg', auc, untrained = 0.7, exposure = 'transductive' } = options;
  const { steps = 600, notes = [], dataHash = 'abc' } = options;
  const config = resolveConfig({
    set: ['data.size=64', 'model.width=0.25', 'data.path=phantom:breast', `training.steps=${steps}`],
    flags: { seed },
  });
  const common = { version: 1, seconds: 60, threads: 1, run: `runs/${row}/seed-${seed}` } as const;
  const settings = config as unknown as Tree;
  writeCell(root, pretrainingId(row, seed), { ...common, kind: 'pretrain', settings, steps, provenance: {} });
  const values = { run: auc, untrained, thumbnail: 0.81 };
  const rows = (['run', 'untrained', 'thumbnail'] as const).flatMap((source) =>
    (source === 'thumbnail' ? (['pixels'] as const) : (['pooled', 'head'] as const)).flatMap((features) =>
      IMAGES.map((modalities, i) => {
        const value = values[source] - STEP * (2 - i) - (features === 'head' ? STEP / 10 : 0);
        const metric = {
          mean: value,
          std: 0.03,
          folds: [value],
          skipped: 0,
          pooled: value,
          low: value - 0.05,
          high: value + 0.04,
          standardError: 0.02,
        };
        return {
          key: `${source}/${features}/${modalities.join('+')}`,
          source,
          features,
          modalities,
          columns: 128,
          metrics: { auc: metric },
        };
      }),
    ),
  );
  const differences = rows
    .filter(({ source }) => source === 'run')
    .flatMap((own) =>
      rows
        .filter(
          ({ source, features, modalities }) =>
            modalities === own.modalities &&
            (source === 'thumbnail' || (source === 'untrained' && features === own.features)),
        )
        .map((other) => {
          const value = own.metrics.auc.pooled - other.metrics.auc.pooled;
          return {
            row: own.key,
            against: other.key,
            metric: 'auc',
            value,
            low: value - 0.03,
            high: value + 0.03,
            standardError: 0.015,
            pValue: 0.02,
            minimumDetectable: other.source === 'thumbnail' ? 0.059 : 0.042,
          };
        }),
    );
  const result: StoredResult = {
    version: 1,
    tool: 'anatomy-ssl 0.1.0',
    protocol,
    settings: {},
    run: {
      name: 'seed-0',
      method: 'anatomy',
      recipe: 'paper-us-swe',
      seed,
      size: 64,
      precision: 'bf16',
      device: 'cpu',
      encoders: [{ fold: 'none', weights: 'final' }],
    },
    data: {
      name: 'pairs',
      dataHash,
      samples: 1866,
      subjects: 80,
      modalities: ['a', 'b'],
      classes: ['none', 'tumor'],
      samplesPerClass: [913, 953],
    },
    folds: { source: 'file', k: 5, judged: [0, 1, 2, 3, 4], inner: 5, seed: 0 },
    setAside: false,
    labels: { fraction: 1, samples: [1493, 1493, 1493, 1493, 1492], subjects: [64, 64, 64, 64, 64] },
    exposure: { kind: exposure, seenTestSamples: exposure === 'in-fold' ? 0 : 1866, testSamples: 1866 },
    bootstrap: { replicates: 2000, confidence: 0.95, seed: 0 },
    metrics: ['auc'],
    rows,
    differences,
    notes,
  };
  writeCell(root, evaluationId(row, seed, protocol), {
    ...common,
    kind: 'evaluate',
    settings: { pretraining: settings },
    predictions: `runs/${row}/seed-${seed}/evaluation/${protocol}-predictions.csv`,
    result,
  });
}
