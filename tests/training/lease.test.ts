import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AnatomyError, UsageError } from '../../src/errors.js';
import { isLeaseFile, takeLease } from '../../src/training/lease.js';
import { temporaryFolder } from './tiny.js';

const running = (root: string) => join(root, 'running.json');

/** Takes the lease of a folder as a pretraining does, and keeps what is told on the way. */
function take(root: string, more: { beatMs?: number; silenceMs?: number } = {}) {
  const told: string[] = [];
  const onInfo = (text: string) => void told.push(text);
  return { told, lease: takeLease(root, { doing: 'pretraining', onInfo, ...more }) };
}

/** Changes what a lease says, as if it had been left by another process or machine. */
function rewrite(root: string, change: (holder: Record<string, unknown>) => Record<string, unknown>): void {
  const holder = JSON.parse(readFileSync(running(root), 'utf8'));
  writeFileSync(running(root), JSON.stringify(change(holder)));
}

/** A process that ends with its standard input. */
function sleeper(): ChildProcess {
  const code = 'process.stdin.on("end", () => {}).resume()';
  const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'ignore', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

describe('a lease', () => {
  test('keeps others out until it is released, and leaves nothing', async () => {
    const root = temporaryFolder();
    const lease = await take(root).lease;
    lease.check();
    await expect(take(root).lease).rejects.toThrow(UsageError);
    await expect(take(root).lease).rejects.toThrow(
      new RegExp(
        `^${root}: process ${process.pid} is pretraining here since \\d{4}-.*; wait for it, or choose`,
      ),
    );
    lease.release();
    lease.release();
    expect(readdirSync(root)).toEqual([]);
    (await take(root).lease).release();
  });

  test('makes the folder, and removes it again where nothing was put into it', async () => {
    const root = temporaryFolder();
    (await take(join(root, 'runs', 'empty')).lease).release();
    expect(readdirSync(root)).toEqual([]);
    const lease = await take(join(root, 'runs', 'used')).lease;
    writeFileSync(join(root, 'runs', 'used', 'file'), '');
    lease.release();
    expect(readdirSync(join(root, 'runs', 'used'))).toEqual(['file']);
  });

  test('of a process that was killed is taken over, and that is told', async () => {
    const root = temporaryFolder();
    const child = sleeper();
    const lease = await take(root).lease;
    rewrite(root, (holder) => ({ ...holder, id: 'other', process: { pid: child.pid, start: '' } }));
    await expect(take(root).lease).rejects.toThrow(`process ${child.pid} is pretraining here`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const { told, lease: next } = take(root);
    const taken = await next;
    expect(told).toEqual([`${root}: process ${child.pid} ended here without finishing; this one takes over`]);
    expect(() => lease.check()).toThrow(AnatomyError);
    lease.release(); // of the one that lost it: the other's stays
    taken.check();
    taken.release();
    expect(readdirSync(root)).toEqual([]);
  });

  test('of a process number that is in use again by another process is taken over', async () => {
    const root = temporaryFolder();
    await take(root).lease;
    rewrite(root, (holder) => ({ ...holder, process: { pid: process.pid, start: '1' } }));
    (await take(root).lease).release();
  });

  test('waits for the children of a killed process', async () => {
    const root = temporaryFolder();
    const child = sleeper();
    const lease = await take(root).lease;
    lease.add(child.pid!);
    lease.add(process.pid);
    rewrite(root, (holder) => {
      const [first, second] = holder.children as { pid: number; start: string }[];
      const gone = { pid: process.pid, start: '1' };
      return { ...holder, process: gone, children: [first, { ...second, start: '1' }] };
    });
    const { told, lease: next } = take(root);
    let taken = false;
    const waiting = next.then((made) => {
      taken = true;
      return made;
    });
    await sleep(250);
    expect([taken, told]).toEqual([
      false,
      [`process ${child.pid}, a child of a killed process, is still saving; waiting for it`],
    ]);
    child.stdin!.end();
    (await waiting).release();
  });

  test('of another machine is kept while it is touched, whatever its clock says', async () => {
    const root = temporaryFolder();
    const lease = await take(root, { beatMs: 20 }).lease;
    rewrite(root, (holder) => ({ ...holder, host: 'gpu3', idSpace: 'elsewhere', since: '1970-01-01' }));
    const { told, lease: other } = take(root, { beatMs: 20, silenceMs: 10_000 });
    await expect(other).rejects.toThrow(
      `process ${process.pid} of gpu3, elsewhere is pretraining here since 1970`,
    );
    expect(told).toEqual([expect.stringMatching(/cannot be looked at from here; watching for 10 s/)]);
    rmSync(running(root));
    expect(() => lease.check()).toThrow(`${running(root)} was deleted or is another process's by now`);
    lease.release();
  });

  test.each([
    [
      'of another machine that fell silent',
      (text: string) => text.replace(/"idSpace":"[^"]*"/, '"idSpace":"x"'),
    ],
    ['that is empty', () => ''],
    ['that is null', () => 'null'],
    ['of another version', () => '{"parent":{"pid":1,"started":"5"},"children":[]}'],
    ['with a process that is none', (text: string) => text.replace(/"pid":\d+/, '"pid":-1')],
  ])('%s is taken over', async (_, damage) => {
    const root = temporaryFolder();
    (await take(root).lease).release();
    const lease = await take(root).lease;
    const text = readFileSync(running(root), 'utf8');
    lease.release();
    writeFileSync(running(root), damage(text));
    const { told, lease: next } = take(root, { beatMs: 20, silenceMs: 60 });
    const taken = await next;
    taken.check();
    expect(told.at(-1)).toMatch(/ended here without finishing; this one takes over/);
    taken.release();
  });

  test('a successor that was killed while taking over does not block', async () => {
    const root = temporaryFolder();
    await take(root).lease;
    rewrite(root, (holder) => ({ ...holder, process: { pid: process.pid, start: '1' } }));
    writeFileSync(`${running(root)}.next`, readFileSync(running(root), 'utf8'));
    (await take(root).lease).release();
    expect(readdirSync(root)).toEqual([]);
  });

  test('its files are told from others, and only their owner may read them', async () => {
    const root = temporaryFolder();
    const lease = await take(root).lease;
    expect(readdirSync(root).every(isLeaseFile)).toBe(true);
    expect(['running.json.next', 'config.yaml', 'running.json.txt'].map(isLeaseFile)).toEqual([
      true,
      false,
      false,
    ]);
    lease.release();
  });
});

test('the file is touched whatever flags the process was started with', async () => {
  const root = temporaryFolder();
  const module = fileURLToPath(new URL('../../dist/training/lease.js', import.meta.url));
  const script = `
    import { statSync } from 'node:fs';
    const { takeLease } = await import('${module}');
    await takeLease('${root}', { doing: 'pretraining', onInfo: () => {}, beatMs: 10 });
    const time = () => statSync('${running(root)}').mtimeMs;
    const before = time();
    setInterval(() => time() !== before && (console.log('touched'), process.exit(0)), 5);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  let text = '';
  child.stdout.on('data', (part) => (text += part));
  await new Promise((resolve) => child.on('close', resolve));
  expect(text).toBe('touched\n');
});

test('of eight processes that start at once on a folder that a killed one left, one gets it', async () => {
  const root = temporaryFolder();
  const stale = await take(root).lease;
  rewrite(root, (holder) => ({ ...holder, id: 'stale', process: { pid: process.pid, start: '1' } }));
  stale.release();
  expect(existsSync(running(root))).toBe(true);
  const module = fileURLToPath(new URL('../../dist/training/lease.js', import.meta.url));
  const go = join(root, 'go');
  const script = `
    import { existsSync } from 'node:fs';
    const { takeLease } = await import('${module}');
    process.stdout.write('ready');
    while (!existsSync('${go}')) {}
    try {
      await takeLease('${root}', { doing: 'pretraining', onInfo: () => {} });
      process.stdout.write(' won');
      process.stdin.resume();
    } catch (error) { process.stdout.write(' ' + error.name); }`;
  const children = Array.from({ length: 8 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    const said = (wanted: RegExp) =>
      new Promise<void>((resolve) => {
        child.stdout.on('data', () => wanted.test(text) && resolve());
      });
    return { ready: said(/ready/), ended: said(/ (won|\w+Error)$/), text: () => text };
  });
  await Promise.all(children.map(({ ready }) => ready));
  mkdirSync(go);
  await Promise.all(children.map(({ ended }) => ended));
  const ends = children.map(({ text }) => text());
  expect(ends.filter((end) => end === 'ready won')).toHaveLength(1);
  expect(ends.filter((end) => end === 'ready FolderBusyError')).toHaveLength(7);
  expect(existsSync(running(root))).toBe(true);
});
