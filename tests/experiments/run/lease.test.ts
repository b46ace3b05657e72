import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { takeLease } from '../../../src/experiments/run/lease.js';
import { listener, temporaryFolder } from '../../training/tiny.js';

const running = (root: string) => join(root, 'running.json');

test('a folder at work is refused to others, and is free afterwards', async () => {
  const root = temporaryFolder();
  const { console } = listener();
  const lease = await takeLease(root, console);
  await expect(takeLease(root, console)).rejects.toThrow(
    `process ${process.pid} is running an experiment here`,
  );
  lease.release();
  expect(existsSync(running(root))).toBe(false);
  (await takeLease(root, console)).release();
});

test('the children of a killed parent are waited for, and numbers used again are other processes', async () => {
  const root = temporaryFolder();
  const { console, text } = listener();
  const child = spawn(process.execPath, ['-e', 'process.stdin.on("end", () => {}).resume()'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const lease = await takeLease(root, console);
  lease.add(child.pid!);
  lease.add(process.pid);
  const stored = JSON.parse(readFileSync(running(root), 'utf8'));
  // The file looks as if this process had been killed, and its number and that of the second child used again.
  stored.parent.started = '0';
  stored.children[1].started = '0';
  writeFileSync(running(root), JSON.stringify(stored));
  let taken = false;
  const next = takeLease(root, console).then((second) => {
    taken = true;
    return second;
  });
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(taken).toBe(false);
  expect(text()).toContain(`process ${child.pid} of a killed experiment is still saving`);
  child.stdin!.end();
  await once(child, 'exit');
  (await next).release();
});
