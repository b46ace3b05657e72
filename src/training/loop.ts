/**
 * The training loop: steps, logs, monitors, checkpoints and signals. It knows no particular method and no file but the
 * run's.
 */
import { rmSync } from 'node:fs';
import { batchAt, heldAt, stepsPerEpoch } from '../data/loading/loader.js';
import { published } from '../data/pseudonym.js';
import { DataError } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import type { MessageConsole } from '../log/console.js';
import { cutBack, JsonLinesWriter } from '../log/jsonLines.js';
import { Progress } from '../log/progress.js';
import { EventWriter } from '../log/tensorBoard.js';
import { loadState as loadModule } from '../nn/index.js';
import { learningRateAt } from '../optim/index.js';
import {
  noGrad,
  ops,
  type StopSignal,
  type Tensor,
  takeWarnings,
  tidy,
  watchSignals,
} from '../tensor/index.js';
import { checkFingerprint, fingerprint, saveCheckpoint, sweepCheckpoints } from './checkpoint.js';
import { LossScaler } from './precision.js';
import type { PreparedRun } from './prepare.js';
import type { RunPaths } from './runFolder.js';
import { lossFault, type StepResult, trainingStep } from './step.js';

export interface LoopOptions {
  /** The files of the run; its folder exists. */
  readonly paths: RunPaths;
  readonly console: MessageConsole;
  /** Throws where the run may not go on. It is asked before each checkpoint. */
  readonly check?: () => void;
  /** Whether a run resumes from its checkpoint although the result will not be exact to the bit. */
  readonly allowInexact?: boolean;
}

export type LoopOutcome =
  | { readonly kind: 'finished'; readonly step: number }
  | { readonly kind: 'interrupted'; readonly step: number; readonly signal: StopSignal }
  | {
      readonly kind: 'failed';
      readonly step: number;
      readonly reason: string;
      /** The step of the newest checkpoint, whose numbers are finite; null where none was written yet. */
      readonly lastGoodCheckpoint: number | null;
    };

/**
 * Trains from the run's checkpoint, or from the start, to the end, a signal or a loss that is not a number.
 * @throws UsageError when the checkpoint was made under conditions that give other bits
 */
export async function train(run: PreparedRun, options: LoopOptions): Promise<LoopOutcome> {
  const { method, optimizer, loader, plan, dataset, totalSteps, precision } = run;
  const { paths, console } = options;
  const { training, monitor } = run.config;
  const scaler = precision === 'fp16' ? new LossScaler() : undefined;
  const start = resume(run, scaler, options);
  sweepCheckpoints(paths.checkpoints);
  rmSync(paths.failure, { force: true });
  if (start > 0) console.info(`resuming after step ${start} of ${totalSteps}`);
  const { missing, repeated } = cutBack(paths.metrics, start);
  if (missing + repeated > 0) {
    console.warn(
      `${paths.metrics} was changed since it was written: of the ${start} steps done, ${missing} are missing and ${repeated} lines were repeated; the curves have gaps, the weights are not affected`,
    );
  }
  const metrics = new JsonLinesWriter(paths.metrics);
  const events = new EventWriter(paths.root, start > 0 ? { resumedFrom: start } : {});
  const progress = new Progress(totalSteps, console, { start });
  const signals = watchSignals();
  let saved = start;

  /** Saves a checkpoint. @returns the first tensor that is no longer finite; nothing was saved then */
  const save = (step: number): string | undefined => {
    // What was trained on changed images, or beside another process, is not saved.
    options.check?.();
    loader.check();
    if (step === saved) return undefined;
    const broken = firstNonFinite(method.state());
    if (broken !== undefined) return broken;
    metrics.sync();
    events.sync();
    const lossScale = scaler && { scale: scaler.scale, goodSteps: scaler.goodSteps };
    const info = { step, dataHash: published(run.dataHash), fingerprint: fingerprint(run), lossScale };
    saveCheckpoint(paths.checkpoints, info, method.state(), optimizer.state(), training.keepCheckpoints);
    saved = step;
    return undefined;
  };

  const fail = (step: number, reason: string, result?: StepResult): LoopOutcome => {
    const { epoch, indices } = batchAt(plan, step);
    const lastGoodCheckpoint = saved === 0 ? null : saved;
    const report = {
      step: step + 1,
      epoch,
      reason,
      loss: String(result?.loss),
      terms: textOf(result?.terms),
      batchSize: indices.length,
      lastGoodCheckpoint,
    };
    writeFileAtomic(paths.failure, `${JSON.stringify(report, null, 2)}\n`);
    return { kind: 'failed', step, reason, lastGoodCheckpoint };
  };

  try {
    let result: StepResult | undefined;
    for (let step = start; ; step += 1) {
      const signal = signals.pending();
      const due = step % training.checkpointEvery === 0 || step >= totalSteps || signal !== undefined;
      const broken = due ? save(step) : undefined;
      // The step before this one broke it.
      if (broken !== undefined) return fail(step - 1, `${broken} holds a number that is not finite`, result);
      if (signal !== undefined) return { kind: 'interrupted', step, signal };
      if (step >= totalSteps) return { kind: 'finished', step };
      const began = performance.now();
      const { epoch, rows, indices } = batchAt(plan, step);
      await loader.prepare(indices, heldAt(plan, step));
      const learningRate = learningRateAt(step, training.schedule, {
        base: training.learningRate,
        totalSteps,
        stepsPerEpoch: stepsPerEpoch(plan),
        warmupSteps: training.warmupSteps,
        restarts: training.restarts,
      });
      const done = step + 1;
      const inspect = done % monitor.every === 0 || done === totalSteps || step === 0;
      const ids = indices.map((index) => dataset.samples[index]!.id);
      result = tidy(() => {
        const batch = { ...loader.load(indices), ids, rows, epoch };
        return trainingStep({ ...run, batch, learningRate, scaler, inspect });
      });
      if (!result.finite) {
        return fail(step, lossFault(result), result);
      }
      const seconds = (performance.now() - began) / 1000;
      // Weights that the step has broken cannot be inspected, and the next step stops the run.
      const sound = !inspect || firstNonFinite(method.state()) === undefined;
      const looked = inspect ? { ...result.inspection, ...(sound ? await run.monitor() : {}) } : {};
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
      // Timers and streams get a turn here; a loop that only awaits promises would starve them.
      await new Promise((next) => setImmediate(next));
    }
  } finally {
    progress.stop();
    signals.stop();
    metrics.close();
    events.close();
  }
}

/**
 * Loads the run's checkpoint, if it has one, and frees it.
 * @returns the number of steps done before
 */
function resume(
  run: PreparedRun,
  scaler: LossScaler | undefined,
  { allowInexact = false }: LoopOptions,
): number {
  const { method, optimizer, checkpoint } = run;
  if (checkpoint === undefined) return 0;
  if (!allowInexact) checkFingerprint(checkpoint.fingerprint, fingerprint(run));
  if (checkpoint.step > run.totalSteps) {
    throw new DataError(
      `${checkpoint.file}: is the state after step ${checkpoint.step}, but the run has only ${run.totalSteps}; choose another --out, or --overwrite it`,
    );
  }
  loadModule({ buffers: Object.fromEntries(method.state()) }, checkpoint.model);
  optimizer.loadState(checkpoint.velocities);
  checkpoint.dispose();
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
