/** Runs one cell as a process of this program. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { PRIVATE } from '../../files.js';
import { ATTEMPT } from '../stored/cellLog.js';

export interface ChildOptions {
  /** The file that gets the command and then all that the child writes to stderr. */
  readonly log: string;
  /** The number of threads that LibTorch uses. */
  readonly threads: number;
  readonly onStart: (child: RunningChild) => void;
}

export interface RunningChild {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
}

export interface EndedChild {
  /** The exit code, or 128 + the number of the signal that killed the child. */
  readonly code: number;
  readonly stdout: string;
  readonly seconds: number;
}

/**
 * Runs this program with the given arguments. The child leads a process group of its own: a terminal's Ctrl-C reaches
 * this process only, which passes it on once, since a second signal would end the child before it has saved. The child
 * watches the channel (see `cli/main.ts`) and ends with this process, however this one ends.
 */
export function runChild(
  program: string,
  words: readonly string[],
  { log, threads, onStart }: ChildOptions,
): Promise<EndedChild> {
  mkdirSync(dirname(log), { recursive: true });
  const file = openSync(log, 'a', PRIVATE); // it holds places
  writeSync(file, `${ATTEMPT}${threads} node ${[program, ...words].map(quoted).join(' ')}\n`);
  const began = performance.now();
  const child = spawn(process.execPath, [program, ...words], {
    stdio: ['ignore', 'pipe', file, 'ipc'],
    // A cell is a process alone, also where a launcher has started several that run experiments.
    env: {
      ...process.env,
      ...{ WORLD_SIZE: undefined, SLURM_STEP_NUM_TASKS: undefined },
      ...{ OMP_NUM_THREADS: `${threads}`, NO_COLOR: '1' },
    },
    detached: true,
  });
  closeSync(file);
  if (child.pid !== undefined) onStart({ pid: child.pid, kill: (signal) => child.kill(signal) });
  let stdout = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const seconds = (performance.now() - began) / 1000;
      resolve({ code: code ?? 128 + constants.signals[signal!], stdout, seconds });
    });
  });
}

function quoted(word: string): string {
  return /^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
