/** THE training loop: steps, logs, monitors, checkpoints, signals. Knows no method, no data set and no file but the run's. */

import { rmSync } from 'node:fs';
import { type BatchPlan, batchAt, heldAt, type Loader, stepsPerEpoch } from '../data/loading/loader.js';
import { writeFileAtomic } from '../files.js';
import type { MessageConsole } from '../log/console.js';
import { cutBack, JsonLinesWriter } from '../log/jsonLines.js';
import { Progress } from '../log/progress.js';
import { EventWriter } from '../log/tensorBoard.js';
import type { Method } from '../methods/index.js';
import { loadState as loadModule } from '../nn/index.js';
import { learningRateAt, type Schedule, type Sgd } from '../optim/index.js';
import { type Device, noGrad, ops, type Tensor, takeWarnings, tidy, watchSignals } from '../tensor/index.js';
import {
  type Checkpoint,
  checkFingerprint,
  type Fingerprint,
  latestCheckpoint,
  readCheckpoint,
  saveCheckpoint,
  sweepCheckpoints,
} from './checkpoint.js';
import { LossScaler, type Precision } from './precision.js';
import type { RunPaths } from './runFolder.js';
import { type StepResult, trainingStep } from './step.js';

export interface LoopOptions {
  readonly method: Method;
  readonly optimizer: Sgd;
  readonly loader: Loader;
  readonly plan: BatchPlan;
  /** Sample ids by position in the data set. */
  readonly ids: readonly string[];
  readonly dataHash: string;
  readonly totalSteps: number;
  readonly learningRate: number;
  readonly schedule: Schedule;
  readonly warmupSteps: number;
  readonly precision: Precision;
  readonly device: Device;
  /** Pairs in one forward pass. */
  readonly microBatch: number;
  readonly fingerprint: Fingerprint;
  readonly allowInexact: boolean;
  readonly checkpointEvery: number;
  readonly keepCheckpoints: number;
  readonly inspectEvery: number;
  /** Looks at the embeddings; its values are logged. */
  readonly monitor: () => Promise<Record<string, number>>;
  readonly paths: RunPaths;
  readonly console: MessageConsole;
}

export type LoopOutcome =
  | { readonly kind: 'finished'; readonly step: number }
  | { readonly kind: 'interrupted'; readonly step: number; readonly signal: 'SIGINT' | 'SIGTERM' }
  | { readonly kind: 'failed'; readonly step: number; readonly reason: string };

/** Runs from the last checkpoint, or from the start, to the end, a signal or a loss that is not a number. */
export async function train(options: LoopOptions): Promise<LoopOutcome> {
  const { method, optimizer, loader, plan, ids, totalSteps, paths, console, device, precision } = options;
  const scaler = precision === 'fp16' ? new LossScaler() : undefined;
  const start = resume(options, scaler);
  sweepCheckpoints(paths.checkpoints);
  rmSync(paths.failure, { force: true });
  if (start > 0) console.info(`resuming after step ${start} of ${totalSteps}`);
  cutBack(paths.metrics, start);
  const metrics = new JsonLinesWriter(paths.metrics);
  const events = new EventWriter(paths.root, start > 0 ? { resumedFrom: start } : {});
  const progress = new Progress(totalSteps, console, { start });
  const signals = watchSignals();
  let saved = start;

  /** @returns the first tensor that is no longer finite: then nothing was saved */
  const save = (step: number): string | undefined => {
    if (step === saved) return undefined;
    const broken = firstNonFinite(method.state());
    if (broken !== undefined) return broken;
    metrics.sync();
    events.sync();
    const { dataHash, fingerprint, keepCheckpoints } = options;
    const lossScale = scaler && { scale: scaler.scale, goodSteps: scaler.goodSteps };
    const info = { step, dataHash, fingerprint, lossScale };
    saveCheckpoint(paths.checkpoints, info, method.state(), optimizer.state(), keepCheckpoints);
    saved = step;
    return undefined;
  };

  const fail = (step: number, reason: string, result?: StepResult): LoopOutcome => {
    const { epoch, indices } = batchAt(plan, step);
    const report = {
      step: step + 1,
      epoch,
      reason,
      loss: String(result?.loss),
      terms: textOf(result?.terms),
      batchSize: indices.length,
      lastGoodCheckpoint: saved,
    };
    writeFileAtomic(paths.failure, `${JSON.stringify(report, null, 2)}\n`);
    return { kind: 'failed', step, reason };
  };

  try {
    let result: StepResult | undefined;
    for (let step = start; ; step += 1) {
      const signal = signals.pending();
      const due = step % options.checkpointEvery === 0 || step === totalSteps || signal !== undefined;
      const broken = due ? save(step) : undefined;
      // The step that broke it is the one before.
      if (broken !== undefined) return fail(step - 1, `${broken} holds a number that is not finite`, result);
      if (signal !== undefined) return { kind: 'interrupted', step, signal };
      if (step === totalSteps) return { kind: 'finished', step };
      const began = performance.now();
      const { epoch, rows, indices } = batchAt(plan, step);
      await loader.prepare(indices, heldAt(plan, step));
      const learningRate = learningRateAt(step, options.schedule, {
        base: options.learningRate,
        totalSteps,
        stepsPerEpoch: stepsPerEpoch(plan),
        warmupSteps: options.warmupSteps,
      });
      const done = step + 1;
      const inspect = done % options.inspectEvery === 0 || done === totalSteps || step === 0;
      result = tidy(() =>
        trainingStep({
          method,
          optimizer,
          batch: { images: loader.images(indices), ids: indices.map((index) => ids[index]!), rows, epoch },
          learningRate,
          precision,
          device,
          microBatch: options.microBatch,
          scaler,
          inspect,
        }),
      );
      if (!result.finite) {
        return fail(
          step,
          `the loss is ${result.loss} (${Object.entries(result.terms)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ')})`,
          result,
        );
      }
      const seconds = (performance.now() - began) / 1000;
      // Weights that the step has broken have nothing to show; the next step stops the run.
      const sound = !inspect || firstNonFinite(method.state()) === undefined;
      const looked = inspect ? { ...result.inspection, ...(sound ? await options.monitor() : {}) } : {};
      const pairsPerSecond = indices.length / seconds;
      const fp16 = scaler && { lossScale: scaler.scale, skipped: Number(result.skipped) };
      const line = { epoch, loss: result.loss, ...result.terms, learningRate, ...fp16, ...looked };
      metrics.write({ step: done, ...line, pairsPerSecond });
      events.scalars(done, { ...line, pairsPerSecond });
      progress.update(done, {
        loss: result.loss,
        terms: result.terms,
        learningRate,
        pairsPerSecond,
        memoryBytes: process.memoryUsage.rss(),
      });
      for (const warning of takeWarnings()) console.detail(`LibTorch: ${warning}`);
      // Lets timers and streams run; a loop that only awaits promises would starve them.
      await new Promise((next) => setImmediate(next));
    }
  } finally {
    progress.stop();
    signals.stop();
    metrics.close();
    events.close();
  }
}

/** @returns steps done before */
function resume(options: LoopOptions, scaler: LossScaler | undefined): number {
  const { method, optimizer, paths, console, fingerprint, allowInexact } = options;
  const checkpoint: Checkpoint | undefined = latestCheckpoint(paths.checkpoints, (text) =>
    console.warn(text),
  );
  if (checkpoint === undefined) return 0;
  if (!allowInexact) checkFingerprint(checkpoint.fingerprint, fingerprint);
  const { model, velocities } = readCheckpoint(checkpoint);
  loadModule({ buffers: Object.fromEntries(method.state()) }, model);
  optimizer.loadState(velocities);
  for (const tensor of [...model.values(), ...velocities.values()]) tensor.dispose();
  if (scaler && checkpoint.lossScale) Object.assign(scaler, checkpoint.lossScale);
  return checkpoint.step;
}

function firstNonFinite(state: ReadonlyMap<string, Tensor>): string | undefined {
  return noGrad(() =>
    tidy(() => [...state].find(([, tensor]) => ops.all(ops.finite(tensor)).item() === 0)?.[0]),
  );
}

function textOf(terms: Readonly<Record<string, number>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(terms ?? {}).map(([name, value]) => [name, String(value)]));
}
