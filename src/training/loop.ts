/**
 * The training loop: steps, logs, monitors, checkpoints and signals. It knows no particular method and no file but the
 * run's.
 */
import { rmSync } from 'node:fs';
import { batchAt, heldAt, presentIn, stepsPerEpoch } from '../data/loading/loader.js';
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
import { inFirst } from './processes.js';
import type { RunPaths } from './runFolder.js';
import { lossFault, type StepResult, trainingStep } from './step.js';
import { divideBatch, positionsOf, type Together } from './together.js';

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
 * Trains from the run's checkpoint, or from the start, to the end, a signal or a loss that is not a number. Of several
 * processes each computes its share of every step, and the first one alone writes.
 * @throws UsageError when the checkpoint was made under conditions that give other bits
 */
export async function train(run: PreparedRun, options: LoopOptions): Promise<LoopOutcome> {
  const { method, optimizer, loader, plan, dataset, totalSteps, precision, group } = run;
  const { paths, console } = options;
  const { training, monitor } = run.config;
  const scaler = precision === 'fp16' ? new LossScaler() : undefined;
  const start = await resume(run, scaler, options);
  const records = group === undefined || group.rank === 0 ? openRecords(run, options, start) : undefined;
  const shares = sharesOf(run);
  const signals = watchSignals();
  let saved = start;

  /** Saves a checkpoint. @returns the first tensor that is no longer finite; nothing was saved then */
  const save = (step: number): string | undefined => {
    // What was trained on changed images, or beside another process, is not saved.
    options.check?.();
    loader.check();
    if (step === saved || records === undefined) return undefined;
    const broken = firstNonFinite(method.state());
    if (broken !== undefined) return broken;
    records.metrics.sync();
    records.events.sync();
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
    if (records !== undefined) writeFileAtomic(paths.failure, `${JSON.stringify(report, null, 2)}\n`);
    return { kind: 'failed', step, reason, lastGoodCheckpoint };
  };

  try {
    let result: StepResult | undefined;
    for (let step = start; ; step += 1) {
      const signal = agreedSignal(signals.pending(), group);
      const due = step % training.checkpointEvery === 0 || step >= totalSteps || signal !== undefined;
      const broken = due ? ((await inFirst(group, () => save(step) ?? null)) ?? undefined) : undefined;
      // The step before this one broke it.
      if (broken !== undefined) return fail(step - 1, `${broken} holds a number that is not finite`, result);
      if (signal !== undefined) return { kind: 'interrupted', step, signal };
      if (step >= totalSteps) return { kind: 'finished', step };
      const began = performance.now();
      const waited = group?.seconds ?? 0;
      const { epoch, rows, indices } = batchAt(plan, step);
      const ids = indices.map((index) => dataset.samples[index]!.id);
      const { together, own } = shares.at(step);
      await loader.prepare(own(indices), heldAt(plan, step, shares.mine));
      const learningRate = learningRateAt(step, training.schedule, {
        base: training.learningRate,
        totalSteps,
        stepsPerEpoch: stepsPerEpoch(plan),
        warmupSteps: training.warmupSteps,
        restarts: training.restarts,
      });
      const done = step + 1;
      const inspect = done % monitor.every === 0 || done === totalSteps || step === 0;
      result = tidy(() => {
        const batch = { ...loader.load(own(indices)), ids: own(ids), rows: own(rows), epoch };
        return trainingStep({ ...run, batch, together, learningRate, scaler, inspect });
      });
      if (!result.finite) {
        return fail(step, lossFault(result), result);
      }
      const seconds = (performance.now() - began) / 1000;
      const communicated = (group?.seconds ?? 0) - waited;
      for (const warning of takeWarnings()) console.detail(`LibTorch: ${warning}`);
      // Timers and streams get a turn here; a loop that only awaits promises would starve them.
      await new Promise((next) => setImmediate(next));
      if (records === undefined) continue;
      // Weights that the step has broken cannot be inspected, and the next step stops the run.
      const sound = !inspect || firstNonFinite(method.state()) === undefined;
      const looked = inspect ? { ...result.inspection, ...(sound ? await run.monitor() : {}) } : {};
      const pairsPerSecond = indices.length / seconds;
      const speed = {
        pairsPerSecond,
        ...(group && { communicationShare: communicated / seconds }),
      };
      const fp16 = scaler && { lossScale: scaler.scale, skipped: Number(result.skipped) };
      const line = { epoch, loss: result.loss, ...result.terms, learningRate, ...fp16, ...looked };
      records.metrics.write({ step: done, ...line, ...speed });
      records.events.scalars(done, { ...line, ...speed });
      records.progress.update(done, {
        loss: result.loss,
        terms: result.terms,
        learningRate,
        pairsPerSecond,
        memoryBytes: process.memoryUsage.rss(),
      });
    }
  } finally {
    signals.stop();
    records?.close();
  }
}

/** What a run writes while it trains, beside its checkpoints. */
interface Records {
  readonly metrics: JsonLinesWriter;
  readonly events: EventWriter;
  readonly progress: Progress;
  close(): void;
}

function openRecords({ totalSteps }: PreparedRun, { paths, console }: LoopOptions, start: number): Records {
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
  const close = () => {
    progress.stop();
    metrics.close();
    events.close();
  };
  return { metrics, events, progress, close };
}

/** A signal that any of the processes got, so that all stop after the same step. */
function agreedSignal(signal: StopSignal | undefined, group: PreparedRun['group']): StopSignal | undefined {
  if (group === undefined) return signal;
  const counts = group.sumNumbers(STOP_SIGNALS.map((one) => (one === signal ? 1 : 0)));
  return STOP_SIGNALS.find((_, i) => counts[i]! > 0);
}

const STOP_SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** What this process computes of each step. */
interface Shares {
  at(step: number): { together?: Together | undefined; own: <T>(all: readonly T[]) => T[] };
  /** Whether it computes a place in the batch of a step. */
  mine(step: number, place: number): boolean;
}

function sharesOf({ group, plan, dataset, microBatch, config }: PreparedRun): Shares {
  if (group === undefined) return { at: () => ({ own: (all) => [...all] }), mine: () => true };
  const norms = config.training.batchNorm ?? 'sync';
  const known = new Map<number, { together?: Together | undefined; places: ReadonlySet<number> }>();
  const divided = (step: number) => {
    const { epoch, rows, indices } = batchAt(plan, step);
    const samples = indices.map((index) => dataset.samples[index]!);
    const has = (modality: string, index: number) => dataset.samples[index]!.images[modality] !== undefined;
    const present = presentIn(indices, has, dataset.modalities);
    const whole = { ids: samples.map(({ id }) => id), rows, epoch, ...(present && { present }) };
    const parts = divideBatch(whole, { microBatch, size: group.size, norms });
    const places = new Set(parts === undefined ? rows.keys() : positionsOf(parts, group.rank));
    return { together: parts && { group, norms, whole, parts }, places };
  };
  const share = (step: number) => {
    const found = known.get(step) ?? divided(step);
    known.set(step, found);
    return found;
  };
  return {
    at: (step) => {
      for (const old of known.keys()) if (old < step) known.delete(old);
      const { together, places } = share(step);
      return { together, own: (all) => all.filter((_, place) => places.has(place)) };
    },
    mine: (step, place) => share(step).places.has(place),
  };
}

/**
 * Loads the run's checkpoint, if it has one, and frees it. Of several processes the first has it, and gives all the
 * same state.
 * @returns the number of steps done before
 */
async function resume(
  run: PreparedRun,
  scaler: LossScaler | undefined,
  options: LoopOptions,
): Promise<number> {
  const { method, optimizer, group } = run;
  const { step, lossScale, velocities } = await inFirst(group, () => ({
    ...load(run, scaler, options),
    velocities: [...optimizer.state().keys()],
  }));
  if (group !== undefined) {
    if (scaler && lossScale) Object.assign(scaler, lossScale);
    if (group.rank !== 0) {
      const parameters = method.parameters();
      optimizer.loadState(new Map(velocities.map((name) => [name, parameters.get(name)!])));
    }
    for (const state of [...method.state().values(), ...optimizer.state().values()]) {
      noGrad(() => tidy(() => shareState(state, group)));
    }
  }
  return step;
}

/** Gives all processes the tensor of the first. Collectives take dense memory in the order of its dimensions. */
function shareState(state: Tensor, group: NonNullable<PreparedRun['group']>): void {
  const copy = ops.clone(state, 'contiguous');
  group.broadcast(copy);
  ops.copy_(state, copy);
}

function load(
  run: PreparedRun,
  scaler: LossScaler | undefined,
  { allowInexact = false }: LoopOptions,
): { step: number; lossScale?: { scale: number; goodSteps: number } | undefined } {
  const { method, optimizer, checkpoint } = run;
  if (checkpoint === undefined) return { step: 0 };
  if (!allowInexact) checkFingerprint(checkpoint.fingerprint, fingerprint(run));
  if (checkpoint.step > run.totalSteps) {
    throw new DataError(
      `${checkpoint.file}: is the state after step ${checkpoint.step}, but the run has only ${run.totalSteps}; choose another --out, or --overwrite it`,
    );
  }
  loadModule({ buffers: Object.fromEntries(method.state()) }, checkpoint.model);
  optimizer.loadState(checkpoint.velocities);
  checkpoint.dispose();
  const { step, lossScale } = checkpoint;
  if (scaler && lossScale) Object.assign(scaler, lossScale);
  return { step, lossScale };
}

function firstNonFinite(state: ReadonlyMap<string, Tensor>): string | undefined {
  return noGrad(() =>
    tidy(() => [...state].find(([, tensor]) => ops.all(ops.finite(tensor)).item() === 0)?.[0]),
  );
}

function textOf(terms: Readonly<Record<string, number>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(terms ?? {}).map(([name, value]) => [name, String(value)]));
}
