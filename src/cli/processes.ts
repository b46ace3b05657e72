/** The flag `--processes`: it starts the same command as several processes of this machine, as torchrun does on several. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { UsageError } from '../errors.js';
import type { Place } from '../training/processes.js';

/** How long the others may take to end once one has failed. Those that have met find out within five seconds or so. */
const PATIENCE_MS = 12_000;

/** The exit codes of errors in the settings and in the data. */
const [USAGE, DATA] = [2, 3];

/**
 * Runs this command as `count` processes and waits for all.
 *
 * @param place that of this process, where torchrun or srun has started it
 * @returns the exit code: 0, or that of the process that failed first
 * @throws UsageError where this is one of several processes already
 */
export async function runTogether(count: number, place: Place | undefined): Promise<number> {
  if (place !== undefined) {
    throw new UsageError(
      `--processes is ${count}, but this is already one of ${place.size} processes that torchrun or srun has started; leave it out`,
    );
  }
  const words = withoutProcesses(process.argv.slice(2));
  const port = await freePort();
  const children = Array.from({ length: count }, (_, rank) =>
    spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...words], {
      // The first speaks for all. What another one says is told at the end.
      stdio: ['inherit', rank === 0 ? 'inherit' : 'ignore', rank === 0 ? 'inherit' : 'pipe'],
      env: {
        ...process.env,
        ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: `${port}` },
        ...{ RANK: `${rank}`, WORLD_SIZE: `${count}`, LOCAL_RANK: `${rank}`, LOCAL_WORLD_SIZE: `${count}` },
      },
    }),
  );
  // A terminal's Ctrl-C reaches all of them by itself. They save, and this process ends after them.
  const ignore = () => undefined;
  const pass = (signal: NodeJS.Signals) => {
    for (const child of children) child.kill(signal);
  };
  process.on('SIGINT', ignore);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, pass);
  let first = 0;
  let timer: NodeJS.Timeout | undefined;
  /** What is told where others had to be killed, as they say nothing then. */
  let forced = '';
  const ended = (child: ChildProcess, rank: number) =>
    new Promise<{ code: number; told: string }>((resolve, reject) => {
      let told = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        told += text;
      });
      child.on('error', reject);
      child.on('close', (exit, signal) => {
        const code = exit ?? 128 + constants.signals[signal!];
        if (code !== 0 && first === 0) {
          first = code;
          const how = signal === null ? `exit code ${exit}` : signal;
          timer = setTimeout(() => {
            forced = `error: process ${rank} of ${count} ended with ${how} before all had met; the others waited for it and were ended too\n`;
            pass('SIGKILL');
          }, PATIENCE_MS);
        }
        resolve({ code, told });
      });
    });
  try {
    const [chief, ...others] = await Promise.all(children.map(ended));
    // Of a wrong setting or wrong data the first has told.
    if (chief!.code === USAGE || chief!.code === DATA) return chief!.code;
    for (const { code, told } of others) if (code !== 0) process.stderr.write(told);
    process.stderr.write(forced);
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', ignore);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, pass);
  }
  return first;
}

/** The command line of each process. */
function withoutProcesses(words: readonly string[]): string[] {
  const flag = words.findIndex((word) => /^--processes(?:=|$)/.test(word));
  return words.toSpliced(flag, words[flag] === '--processes' ? 2 : 1);
}

/** A port that nobody listens at. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
