/** The dry run: it measures what a run would cost. */
import type { Config } from '../config/index.js';
import { batchAt, heldAt, stepsPerEpoch } from '../data/loading/loader.js';
import { AnatomyError, UsageError } from '../errors.js';
import type { MessageConsole } from '../log/console.js';
import { learningRateAt } from '../optim/index.js';
import { tidy } from '../tensor/index.js';
import { memoryFault } from './microBatch.js';
import { type PreparedRun, prepare } from './prepare.js';
import { lossFault, trainingStep } from './step.js';
import { TrainingData } from './trainingData.js';

export interface DryRun {
  /** The number of pairs trained on. */
  readonly pairs: number;
  /** The number of encoders to train: one, or one for each fold. */
  readonly encoders: number;
  /** The number of optimiser steps of each encoder. */
  readonly steps: number;
  readonly stepsPerEpoch: number;
  readonly secondsPerStep: number;
  /** The seconds that the steps of all encoders take. */
  readonly secondsInAll: number;
  /** About the largest resident size of the process in a step, in bytes. */
  readonly peakMemoryBytes: number;
  readonly precision: string;
  readonly device: string;
}

/** A whole step that takes longer than this many seconds is not taken: its cost is that of a part of it, times as many. */
const LONG_STEP = 5;

/** The number of pairs in such a part. */
const PART = 8;

/**
 * Takes steps on the data and times the last one: two whole ones where they are quick, else two of a few pairs, from
 * which the whole one is estimated. Nothing is written but the image cache.
 * @throws UsageError when a step would not fit into the free memory, AnatomyError when its loss is not finite
 */
export async function dryRun(config: Config, console: MessageConsole): Promise<DryRun> {
  const fold = config.data.fold === 'all' ? 0 : config.data.fold;
  const one = { ...config, data: { ...config.data, fold } };
  const data = new TrainingData(one, console);
  const run = await prepare(one, data, console);
  try {
    const { plan, totalSteps } = run;
    const fault = memoryFault(run.stepBytes, run.microBatch);
    if (fault !== undefined) throw new UsageError(fault);
    data.warnOnce(run.faults);
    const encoders = config.data.fold === 'all' ? run.foldCount : 1;
    const cost = totalSteps > 0 ? await timed(run, console) : { seconds: 0, unseenBytes: 0 };
    return {
      pairs: plan.indices.length,
      encoders,
      steps: totalSteps,
      stepsPerEpoch: stepsPerEpoch(plan),
      secondsPerStep: cost.seconds,
      secondsInAll: cost.seconds * totalSteps * encoders,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024 + cost.unseenBytes,
      precision: run.precision,
      device: run.device,
    };
  } finally {
    run.dispose();
  }
}

/** @returns the seconds of a step, and the bytes that it takes beyond those of the steps that were taken */
async function timed(
  run: PreparedRun,
  console: MessageConsole,
): Promise<{ seconds: number; unseenBytes: number }> {
  const whole = batchAt(run.plan, 0).indices.length;
  const part = Math.min(PART, whole, run.microBatch);
  const ofPart = async (number: number) => {
    console.info(`timing a step of ${part} of ${whole} pairs`);
    return ((await step(run, number, part)) * whole) / part;
  };
  // The first step also readies LibTorch, so it takes longer than others.
  const first = await ofPart(0);
  const estimate = first > LONG_STEP ? await ofPart(1) : first;
  if (estimate > LONG_STEP) {
    return { seconds: estimate, unseenBytes: run.stepBytes * (1 - part / run.microBatch) };
  }
  console.info(`timing steps of ${whole} pairs`);
  await step(run, 0);
  return { seconds: await step(run, 1), unseenBytes: 0 };
}

/**
 * Takes the step of this number, with its first pairs only where they are counted.
 * @returns its seconds
 * @throws AnatomyError when the loss is not finite: a run of these settings would end so too
 */
async function step(run: PreparedRun, number: number, pairs?: number): Promise<number> {
  const { plan, loader, dataset } = run;
  const { learningRate: base, schedule, warmupSteps, restarts } = run.config.training;
  const steps = { totalSteps: run.totalSteps, stepsPerEpoch: stepsPerEpoch(plan), warmupSteps, restarts };
  const learningRate = learningRateAt(number, schedule, { base, ...steps });
  const batch = batchAt(plan, number);
  const [rows, indices] = [batch.rows.slice(0, pairs), batch.indices.slice(0, pairs)];
  await loader.prepare(indices, heldAt(plan, number));
  const began = performance.now();
  const ids = indices.map((index) => dataset.samples[index]!.id);
  const result = tidy(() => {
    const loaded = loader.load(indices);
    return trainingStep({ ...run, batch: { ...loaded, ids, rows, epoch: batch.epoch }, learningRate });
  });
  if (!result.finite) {
    throw new AnatomyError(
      `training would fail: in a trial step ${lossFault(result)}; lower training.learningRate, or look at the settings of the method`,
    );
  }
  return (performance.now() - began) / 1000;
}
