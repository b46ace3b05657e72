/** The built `anatomy serve` as a process, and what tests ask of its page. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Settings with which a step of training takes a moment. */
export const TINY = [
  ...['data.size=32', 'model.width=0.25', 'method.maps=[1,2,3]', 'method.patches=[2,2]'],
  ...['training.batchSize=8', 'training.precision=fp32'],
];

/** The built program as a process of its own, with its output so far. */
export function anatomy(...words: string[]): { child: ChildProcess; said: () => string } {
  const env = { ...process.env, OMP_NUM_THREADS: '1', NO_COLOR: '1' };
  const child = spawn(process.execPath, [main, ...words], { env });
  let text = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (part) => (text += part));
  return { child, said: () => text };
}

export async function until<T>(look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  const end = performance.now() + 120_000;
  while (performance.now() < end) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it never came to this: ${what}`);
}

/** A page has its time, as a machine may be slow. */
export const eventually = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 60_000 });

export const ended = (child: ChildProcess) =>
  new Promise<number | null>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    child.on('exit', (code) => resolve(code));
  });

/** What axe finds, as JSON. The page allows no foreign script, so axe comes by the debugger. */
export async function faultsOf(page: Page): Promise<string> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: unknown[] }> } };
    return JSON.stringify((await axe.run()).violations, ['id', 'nodes', 'html', 'failureSummary']);
  });
}

/** The address that the server prints, with its token. */
export function addressOf(server: ReturnType<typeof anatomy>): Promise<string> {
  return until(() => /^http:\S+/m.exec(server.said())?.[0], 'the server prints its address');
}
