import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { storeRun } from '../report/storedRun.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let folder: string;
let run: string;

function anatomy(...words: string[]) {
  return spawnSync(process.execPath, [main, ...words], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
  });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'report-cli-'));
  run = storeRun(join(folder, 'run'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('writes the report and prints where it is', () => {
  const { status, stdout, stderr } = anatomy('report', run, '--out', join(folder, 'out'));
  expect(stderr).toContain('The global loss went from 14 to 4.26');
  expect(status).toBe(0);
  expect(stdout).toBe(`${join(folder, 'out', 'index.html')}\n`);
  expect(existsSync(stdout.trim())).toBe(true);
});

it('exits with 2 for a folder that is no run and with 3 for a run without metrics', () => {
  const none = anatomy('report', folder);
  expect(none.status).toBe(2);
  expect(none.stderr).toContain('no run here');
  const empty = anatomy('report', storeRun(join(folder, 'empty'), { lines: [] }));
  expect(empty.status).toBe(3);
  expect(empty.stderr).toContain('has no metrics yet');
});

it('writes the page of a failed run, exits with 0 and says first that it failed', () => {
  const failed = storeRun(join(folder, 'failed'), { finished: false });
  writeFileSync(join(failed, 'failure.json'), JSON.stringify({ step: 31, reason: 'the loss is NaN' }));
  const { status, stdout, stderr } = anatomy('report', failed, '--out', join(folder, 'failed-page'));
  expect(status).toBe(0);
  expect(stderr.split('\n').find((line) => line.startsWith('- '))).toBe(
    '- The run failed at step 31 of 40: the loss is NaN.',
  );
  const page = readFileSync(stdout.trim(), 'utf8').replace(/<style>[\s\S]*?<\/style>/g, '');
  const [failure, curves] = ['class="banner failed"', 'The global loss went'].map((words) =>
    page.indexOf(words),
  );
  expect(failure).toBeGreaterThan(0);
  expect(failure).toBeLessThan(curves!);
});

it('data preview writes one picture, and replaces no other file', async () => {
  const out = join(folder, 'sheet.png');
  const words = [
    'data',
    'preview',
    '--data',
    'phantom:breast,pairs=3',
    '--set',
    'data.size=32',
    'method.patches=[2,2]',
    '--out',
  ];
  const { status, stdout } = anatomy(...words, out);
  expect([status, stdout]).toEqual([0, `${out}\n`]);
  expect(await sharp(out).metadata()).toMatchObject({ format: 'png', width: 830, height: 34 + 3 * 170 });
  writeFileSync(out, 'kept');
  expect(anatomy(...words, out).status).toBe(2);
  expect(anatomy(...words, join(folder, 'sheet.jpg')).stderr).toContain('ends in .png');
});
