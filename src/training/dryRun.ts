/** The dry run: it measures what a run would cost. */
import type { Config } from '../config/index.js';
import { batchAt, heldAt, stepsPerEpoch } from '../data/loading/loader.js';
import type { MessageConsole } from '../log/console.js';
import { tidy } from '../tensor/index.js';
import { prepare } from './prepare.js';
import { trainingStep } from './step.js';
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
  /** The largest resident size of the process so far, in bytes. */
  readonly peakMemoryBytes: number;
  readonly precision: string;
  readonly device: string;
}

/** Takes two steps on the data and times the second one. Nothing is written but the image cache. */
export async function dryRun(config: Config, console: MessageConsole): Promise<DryRun> {
  const fold = config.data.fold === 'all' ? 0 : config.data.fold;
  const one = { ...config, data: { ...config.data, fold } };
  const run = await prepare(one, new TrainingData(one, console), console);
  try {
    const { plan, loader, dataset, totalSteps } = run;
    const encoders = config.data.fold === 'all' ? run.foldCount : 1;
    const { learningRate } = config.training;
    const step = async (number: number): Promise<number> => {
      const { epoch, rows, indices } = batchAt(plan, number);
      await loader.prepare(indices, heldAt(plan, number));
      const began = performance.now();
      const ids = indices.map((index) => dataset.samples[index]!.id);
      tidy(() => {
        const batch = { images: loader.images(indices), ids, rows, epoch };
        return trainingStep({ ...run, batch, learningRate });
      });
      return (performance.now() - began) / 1000;
    };
    if (totalSteps > 0) await step(0);
    const secondsPerStep = totalSteps > 0 ? await step(1) : 0;
    return {
      pairs: plan.indices.length,
      encoders,
      steps: totalSteps,
      stepsPerEpoch: stepsPerEpoch(plan),
      secondsPerStep,
      secondsInAll: secondsPerStep * totalSteps * encoders,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
      precision: run.precision,
      device: run.device,
    };
  } finally {
    run.dispose();
  }
}
