// What benchmarks beside PyTorch share: processes that take turns, and the median ratio with its interval.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';

/** The options of such a benchmark. */
export const turns = {
  rounds: { type: 'string', default: '7' },
  steps: { type: 'string', default: '3' },
  threads: { type: 'string', default: String(availableParallelism()) },
  device: { type: 'string', default: 'cpu' },
  python: { type: 'string', default: '/usr/bin/python3' },
  only: { type: 'string' },
  json: { type: 'boolean', default: false },
};

// What the addon sets by mallopt at load, for a program that cannot: M_MMAP_MAX 0, M_TRIM_THRESHOLD −1 (as a huge number),
// M_TOP_PAD, M_ARENA_MAX 1.
export const sameMalloc = {
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: '18446744073709551615',
  MALLOC_TOP_PAD_: String(64 << 20),
  MALLOC_ARENA_MAX: '1',
};
/** A process that answers one line for every line it is told. */
export function start([program, args, environment]) {
  const child = spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  child.on('exit', (code) => {
    if (code !== 0 && code !== null) process.exit(1);
  });
  return {
    ask: async (message) => {
      const answer = once(lines, 'line');
      child.stdin.write(`${JSON.stringify(message)}\n`);
      return JSON.parse((await answer)[0]);
    },
    stop: () => child.kill(),
  };
}

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** 95 % interval of a median ratio over rounds, by bootstrap with a fixed generator. */
export function interval(ratios) {
  let state = 1;
  const below = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const medians = Array.from({ length: 2000 }, () => median(ratios.map(() => ratios[below(ratios.length)])));
  medians.sort((a, b) => a - b);
  return [medians[49], medians[1949]];
}
