/**
 * This room fits the probes that judge features: small models from features to classes, fitted on the training rows.
 */
import { classColumn, macroRocAuc, rocAuc } from '../../metrics/areas/rocAuc.js';
import { type Features, featureRows } from '../../metrics/features/features.js';
import { neighbourProbabilities } from '../../metrics/features/neighbours.js';
import { type LinearProbeOptions, linearProbe } from './linearProbe.js';
import { logisticProbe } from './logisticProbe.js';
import { ridgeBaseline } from './ridge.js';

/** A probe with its settings. `ridge` judges thumbnails, the others judge features of encoders. */
export type ProbeSpec =
  | { readonly kind: 'logreg' }
  | { readonly kind: 'linear'; readonly options: Omit<LinearProbeOptions, 'classes' | 'seed'> }
  | { readonly kind: 'knn'; readonly k: number; readonly temperature: number }
  | { readonly kind: 'ridge' };

/** One probe on one fold, with everything it needs and nothing that could not be sent to a worker thread. */
export interface ProbeJob {
  readonly probe: ProbeSpec;
  readonly train: Features;
  /** The class number of each training row. */
  readonly labels: Uint32Array;
  /** The inner fold of each training row, by subject. */
  readonly inner: Uint32Array;
  readonly test: Features;
  readonly classes: number;
  readonly seed: number;
}

export interface ProbeOutcome {
  /** The probabilities [m, classes] of the test rows. */
  readonly probabilities: Float64Array;
  /** The probabilities after each epoch, for a probe that has epochs. */
  readonly byEpoch?: readonly Float64Array[];
  /** The chosen C or λ, for a probe that chooses one. */
  readonly chosen?: number;
  /** The AUC, or macro AUC, of the held-out predictions at the chosen C. */
  readonly validation?: number;
}

export function runProbe(job: ProbeJob): ProbeOutcome {
  const { probe, labels, inner, classes, seed } = job;
  switch (probe.kind) {
    case 'logreg': {
      const [train, test] = withoutConstantColumns(job.train, job.test);
      const { probabilities, chosen } = logisticProbe(train, labels, test, inner, { classes });
      return {
        probabilities,
        chosen: chosen?.C,
        validation: validationAuc(chosen?.heldOut, labels, classes),
      };
    }
    case 'linear': {
      const options = { ...probe.options, classes, seed };
      const { probabilities, byEpoch } = linearProbe(job.train, labels, job.test, options);
      return { probabilities, byEpoch };
    }
    case 'knn': {
      const { k, temperature } = probe;
      return {
        probabilities: neighbourProbabilities(job.train, labels, job.test, { k, temperature, classes }),
      };
    }
    case 'ridge':
      return ridgeProbe(job);
  }
}

function validationAuc(heldOut: Float64Array | undefined, labels: Uint32Array, classes: number) {
  if (heldOut === undefined) return undefined;
  return classes === 2 ? rocAuc(classColumn(heldOut, 2, 1), labels) : macroRocAuc(heldOut, labels, classes);
}

/**
 * Leaves out the columns that are constant over the training rows, which standardising would make 0. Half of the units
 * of a ReLU head can be dead, so this can halve the work.
 */
export function withoutConstantColumns(train: Features, test: Features): [Features, Features] {
  const { data, rows, columns } = train;
  const varies = new Uint8Array(columns);
  for (let i = 1; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) if (data[i * columns + j] !== data[j]) varies[j] = 1;
  }
  const kept = Uint32Array.from(Array.from(varies.keys()).filter((j) => varies[j] === 1));
  // Without any column a probe has nothing to fit. With all of them there is nothing to leave out.
  if (kept.length === 0 || kept.length === columns) return [train, test];
  return [takeColumns(train, kept), takeColumns(test, kept)];
}

function takeColumns({ data, rows, columns }: Features, kept: Uint32Array): Features {
  const taken = new Float64Array(rows * kept.length);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < kept.length; j += 1) taken[i * kept.length + j] = data[i * columns + kept[j]!]!;
  }
  return featureRows(taken, rows, kept.length);
}

/**
 * The thumbnail baseline. A ridge score s estimates ±1, so (s + 1) / 2 estimates a probability. It is not clipped, as
 * ties at the ends would change the ranks. With more than two classes there is one ridge for each against the rest.
 */
function ridgeProbe({ train, labels, test, inner, classes }: ProbeJob): ProbeOutcome {
  const probabilities = new Float64Array(test.rows * classes);
  const ridgeFor = (positive: number) => {
    const targets = Uint8Array.from(labels, (label) => (label === positive ? 1 : 0));
    return ridgeBaseline(train, targets, test, inner);
  };
  if (classes === 2) {
    const { scores, model } = ridgeFor(1);
    scores.forEach((score, i) => {
      probabilities.set([(1 - score) / 2, (1 + score) / 2], 2 * i);
    });
    return { probabilities, chosen: model.lambda };
  }
  for (let c = 0; c < classes; c += 1) {
    ridgeFor(c).scores.forEach((score, i) => {
      probabilities[i * classes + c] = (1 + score) / 2;
    });
  }
  return { probabilities };
}

/** The outcome of a row's probes, with one entry for each round in the order of the plan. */
export interface RowOutcome {
  /** The number of columns of the features. */
  readonly columns: number;
  /** The probabilities of each round, [test samples of the round, classes]. */
  readonly probabilities: readonly Float64Array[];
  /** The C or λ that each round chose, for a probe that chooses one. */
  readonly chosen?: readonly number[];
  /** The AUC of the inner folds in each round. */
  readonly validation?: readonly number[];
  /** The probabilities after each epoch of each round, for a probe that has epochs. */
  readonly byEpoch?: readonly (readonly Float64Array[])[];
  /** The reason why the row has no value: its training diverged. Its probabilities are NaN. */
  readonly diverged?: string;
}
