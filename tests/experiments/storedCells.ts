import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { resolveConfig, type Tree } from '../../src/config/index.js';
import type { EncoderFeatures } from '../../src/evaluation/results/featureKinds.js';
import { type ExperimentProtocol, experimentProtocols } from '../../src/experiments/file/protocols.js';
import type { StoredResult } from '../../src/experiments/stored/cell.js';
import type { ExperimentDescription } from '../../src/experiments/stored/description.js';
import {
  type EvaluationName,
  evaluationId,
  experimentPaths,
  pretrainingId,
  writeCell,
  writeDescription,
} from '../../src/experiments/stored/folder.js';
import { csv } from '../../src/text/csv.js';

export const protocols = (...names: ('logreg' | 'linear')[]): ExperimentProtocol[] =>
  experimentProtocols(
    names.map((protocol) => ({ protocol })),
    'test',
  );

const row = (name: string, folder: string) => ({ name, folder, candidates: [{ name, folder }] });

export const description: ExperimentDescription = {
  version: 3,
  name: 'methods',
  description: 'Two rows & a missing one.',
  smoke: false,
  data: { name: 'pairs', pairs: 1866, subjects: 80 },
  seeds: [0],
  protocols: protocols('logreg'),
  rows: [
    { ...row('Ours', 'ours'), paper: { table: 1, row: 'Ours' } },
    { ...row('L_C alone', 'l-c-alone'), paper: { table: 2, row: 'Consistency' } },
    row('authors', 'authors'),
  ],
  judge: [],
  folds: {},
};

export function storeExperiment(root: string, different: Partial<ExperimentDescription> = {}): void {
  writeDescription(root, { ...description, ...different });
}

export interface StoredEvaluation {
  seed?: number;
  protocol?: 'logreg' | 'linear' | 'finetune';
  /** AUC of pooled A+B; others lie below by formulas that a test can repeat. */
  auc: number;
  untrained?: number;
  exposure?: 'transductive' | 'in-fold' | 'transfer' | 'untrained';
  samples?: number;
  /** The number of judged subjects. */
  subjects?: number;
  method?: string;
  steps?: number;
  notes?: string[];
  dataHash?: string;
  /** Of a protocol with settings. */
  slug?: string;
  /** Of the cell, but for its protocol. */
  name?: Omit<EvaluationName, 'protocol'>;
  /** AUC of the inner cross-validation of each kind of features, one a fold. */
  validation?: { pooled: number[]; head: number[]; maps?: number[] };
  /** The kinds of features that are judged; pooled and head by default. */
  kinds?: readonly EncoderFeatures[];
  /** Test predictions of every row by source, or by source and features; else none are stored. */
  predictions?: Readonly<Record<string, readonly number[]>>;
}

/** Judged samples of stored predictions, two of each subject. */
export const SAMPLES = 40;
export const LABELS = Array.from({ length: SAMPLES }, (_, i) => ((i >> 1) % 2 === 0 ? 'none' : 'tumor'));
export const FOLDS = Array.from({ length: SAMPLES }, (_, i) => (i < SAMPLES / 2 ? 0 : 1));

const IMAGES = [['a'], ['b'], ['a', 'b']];
/** B lies below A+B by this, A by twice, the head by a tenth of it more. */
const STEP = 0.02;

/** A finished pretraining and a finished evaluation of it, as a run of the experiment leaves them. */
export function storeCells(root: string, row: string, options: StoredEvaluation): void {
  const { seed = 0, protocol = 'logreg', auc, untrained = 0.7, exposure = 'transductive' } = options;
  const {
    steps = 600,
    notes = [],
    dataHash = 'abc',
    name,
    validation,
    kinds = ['pooled', 'head'],
    predictions,
    slug = protocol,
    samples = 1866,
    subjects = 80,
    method = 'anatomy',
  } = options;
  const config = resolveConfig({
    set: ['data.size=64', 'model.width=0.25', 'data.path=phantom:breast', `training.steps=${steps}`],
    flags: { seed },
  });
  const common = { version: 1, seconds: 60, threads: 1, run: `runs/${row}/seed-${seed}` } as const;
  const settings = config as unknown as Tree;
  writeCell(root, pretrainingId(row, seed), { ...common, kind: 'pretrain', settings, steps, provenance: {} });
  const values = { run: auc, untrained, thumbnail: 0.81 };
  const rows = (['run', 'untrained', 'thumbnail'] as const).flatMap((source) =>
    (source === 'thumbnail' ? (['pixels'] as const) : kinds).flatMap((features) =>
      IMAGES.map((modalities, i) => {
        const value = values[source] - STEP * (2 - i) - (features === 'head' ? STEP / 10 : 0);
        const metric = {
          mean: value + 0.01,
          meanLow: value - 0.06,
          meanHigh: value + 0.05,
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
          ...(validation === undefined || features === 'pixels' ? {} : { validation: validation[features] }),
          metrics: { auc: metric, accuracy: { ...metric, pooled: value - 0.1 } },
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
            holm: 0.04,
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
      method,
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
      samples: predictions === undefined ? samples : SAMPLES,
      subjects,
      modalities: ['a', 'b'],
      classes: ['none', 'tumor'],
      samplesPerClass: [913, 953],
    },
    folds:
      predictions === undefined
        ? { source: 'file', k: 5, judged: [0, 1, 2, 3, 4], inner: 5, seed: 0 }
        : { source: 'file', k: 2, judged: [0, 1], inner: 5, seed: 0 },
    setAside: name?.setAside ?? false,
    labels: { fraction: 1, samples: [1492], subjects: [64] },
    exposure: { kind: exposure, seenTestSamples: exposure === 'in-fold' ? 0 : 1866, testSamples: 1866 },
    bootstrap: { replicates: 2000, confidence: 0.95, seed: 0 },
    metrics: ['auc'],
    rows,
    differences,
    notes,
  };
  const id = evaluationId(row, seed, { ...name, protocol: slug });
  if (predictions !== undefined) {
    const file = experimentPaths(root).predictions(id);
    mkdirSync(dirname(file), { recursive: true });
    const of = (key: string, source: string) =>
      predictions[key.split('/').slice(0, 2).join('/')] ?? predictions[source]!;
    const lines = LABELS.map((label, i) => [
      ...[`P-${i}`, `S-${(i >> 1) % subjects}`, String(FOLDS[i]), label],
      ...rows.map(({ key, source }) => String(of(key, source)[i])),
    ]);
    writeFileSync(file, csv([['id', 'subject', 'fold', 'label', ...rows.map(({ key }) => key)], ...lines]));
  }
  writeCell(root, id, {
    ...common,
    kind: 'evaluate',
    settings: { pretraining: settings },
    result,
  });
}
