/** The process-wide state of LibTorch: seeds, threads, devices, warnings and signals. */
import { checkedThreads, native } from './native.js';

/** Seeds LibTorch's generators. They are process-wide; training itself draws from `Random` instead. */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`manualSeed(): ${seed}, expected a safe integer`);
  native().manualSeed(seed);
}

/**
 * The number of threads of LibTorch's operators, process-wide. Results may differ in the last bits between thread
 * counts.
 */
export function threads(): number {
  return native().getThreads();
}

/** @throws TensorError unless `count` is an integer from 1 to `mostThreads` */
export function setThreads(count: number): void {
  native().setThreads(checkedThreads(count, 'setThreads()'));
}

export function torchVersion(): string {
  return native().torchVersion;
}

/** The number of CUDA devices that this LibTorch can use. */
export function cudaDevices(): number {
  return native().cudaDevices;
}

/** Waits for all work queued on the CUDA devices; returns at once on a CPU. */
export function synchronize(): void {
  native().synchronize();
}

/** Takes the texts of LibTorch's own warnings since the last call, for the log. */
export function takeWarnings(): string[] {
  return native().takeWarnings();
}

/** The signals that a run saves at. A terminal that is closed sends SIGHUP. */
export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/**
 * Notes SIGINT, SIGTERM and SIGHUP instead of dying from them: `pending()` names the first, the second ends the process at
 * once. (The same signal within 0.3 s counts as the first: under `npm run` one Ctrl-C arrives twice.) A synchronous
 * loop asks `pending()` at its safe points, and lets events through between them, by which SIGHUP comes. `stop()` restores what was there before, once the last of overlapping
 * watches ends.
 */
export function watchSignals(): { pending: () => StopSignal | undefined; stop: () => void } {
  const engine = native();
  engine.watchSignals();
  let watching = true;
  let hungUp = false;
  const onHangUp = () => {
    hungUp = true;
  };
  process.on('SIGHUP', onHangUp);
  return {
    pending: () => {
      const signal = engine.pendingSignal();
      if (signal === 0) return hungUp ? 'SIGHUP' : undefined;
      return signal === 2 ? 'SIGINT' : 'SIGTERM';
    },
    stop: () => {
      if (watching) engine.unwatchSignals();
      process.off('SIGHUP', onHangUp);
      watching = false;
    },
  };
}
