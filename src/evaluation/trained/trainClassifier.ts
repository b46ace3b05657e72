/** Trains a classifier, alone or with its encoder: the loop over epochs and batches. */
import { batchAt, type Loader } from '../../data/loading/loader.js';
import { AnatomyError } from '../../errors.js';
import type { Batch } from '../../methods/index.js';
import { learningRateAt } from '../../optim/index.js';
import { type Device, type Tensor, tensor, tidy } from '../../tensor/index.js';
import type { TrainingPreset } from './presets.js';
import { trainingPlan } from './trainedProbe.js';

/** Training ran off to infinity, so that no later value means anything. */
export class DivergedError extends AnatomyError {
  /** @param found the row and the value that is not finite */
  constructor(found: string, { name, learningRate }: TrainingPreset) {
    super(
      `${found} (preset ${name}, learning rate ${learningRate}), expected finite numbers: training has diverged. Lower --learning-rate, choose another --preset or, in finetuning, --batch-norm train`,
    );
  }
}

/** The labelled samples of a fold. */
export interface LabelledSamples {
  /** The positions of the samples in the data. */
  readonly positions: readonly number[];
  readonly ids: readonly string[];
  /** The class number of each sample. */
  readonly labels: readonly number[];
}

/** Updates everything that has a gradient, at the given rate. */
export interface Optimizer {
  step(learningRate: number): void;
  zeroGrad(): void;
}

export interface ClassifierTraining {
  readonly preset: TrainingPreset;
  /** The name of what is trained, for messages. */
  readonly name: string;
  readonly samples: LabelledSamples;
  readonly loader: Loader;
  readonly device: Device;
  readonly seed: number;
  readonly optimizer: Optimizer;
  /** The loss of a batch, a scalar. @param classes i64 [B] */
  readonly objective: (batch: Batch, classes: Tensor) => Tensor;
  readonly afterEpoch: (epoch: number) => Promise<void>;
  readonly onStep: () => void;
}

/**
 * Trains by the preset, epoch by epoch. A batch depends only on seed and step. Between two steps other work of the
 * process has its turn.
 *
 * @throws DivergedError when the loss is not a finite number
 */
export async function trainClassifier(training: ClassifierTraining): Promise<void> {
  const { preset, name, samples, loader, device, seed, optimizer, objective, afterEpoch, onStep } = training;
  const plan = trainingPlan(preset, samples.positions.length);
  const { batchSize, learningRate, stepsPerEpoch, totalSteps, warmupSteps } = plan;
  const batches = { indices: samples.positions, batchSize, dropLast: preset.dropLast, seed };
  for (let step = 0; step < totalSteps; step += 1) {
    const { epoch, rows, indices } = batchAt(batches, step);
    await loader.prepare(indices);
    const context = { base: learningRate, totalSteps, stepsPerEpoch, warmupSteps };
    const rate = learningRateAt(step, preset.schedule, context);
    const loss = tidy(() => {
      optimizer.zeroGrad();
      // The graph holds what backward needs. A handle here would keep every activation to the end of the step.
      const { objectiveOfBatch, value } = tidy(() => {
        const ids = rows.map((row) => samples.ids[row]!);
        const labels = rows.map((row) => samples.labels[row]!);
        const classes = tensor(labels, [labels.length], { dtype: 'i64', device });
        const objectiveOfBatch = objective({ ...loader.load(indices), ids, rows, epoch }, classes);
        return { objectiveOfBatch, value: objectiveOfBatch.item() };
      });
      if (Number.isFinite(value)) {
        objectiveOfBatch.backward();
        optimizer.step(rate);
      }
      optimizer.zeroGrad();
      return value;
    });
    if (!Number.isFinite(loss)) {
      throw new DivergedError(`${name}: the loss is ${loss} at step ${step + 1} of ${totalSteps}`, preset);
    }
    onStep();
    await new Promise((resolve) => setImmediate(resolve));
    if ((step + 1) % stepsPerEpoch === 0) await afterEpoch(epoch);
  }
}
