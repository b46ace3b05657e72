import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { csv } from '../../../src/text/csv.js';
import { raster, type spots as Spots, spots } from '../../data/audit/drawnPairs.js';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
let folder: string;
let manifest: string;

function check(...words: string[]) {
  return spawnSync(process.execPath, [main, 'data', 'check', ...words], { encoding: 'utf8' });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'check-cli-'));
  const write = async (name: string, { data, width, height, channels }: ReturnType<typeof Spots>) => {
    await sharp(data, { raw: { width, height, channels } }).png().toFile(join(folder, name));
    return name;
  };
  const rows = await Promise.all(
    Array.from({ length: 5 }, async (_, i) => [
      `scan-${i}`,
      `patient-${i}`,
      await write(`${i}-a.png`, spots(`a ${i}`, 64)),
      await write(`${i}-b.png`, i === 3 ? raster(64, 64, () => 0) : spots(`b ${i}`, 64)),
      i % 2 === 0 ? 'benign' : 'malignant',
    ]),
  );
  rows.push(['again', 'patient-9', '1-a.png', '1-b.png', 'malignant']);
  manifest = join(folder, 'manifest.csv');
  writeFileSync(manifest, csv([['id', 'subject', 'a', 'b', 'label'], ...rows]));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('exits with 3 on errors and writes the report and the list of samples to leave out', () => {
  const [page, list] = [join(folder, 'check.html'), join(folder, 'drop.csv')];
  const words = [manifest, '--report', page, '--drop-list', list];
  const { status, stdout, stderr } = check(...words);
  expect(stderr).toContain('checking 6/6');
  expect(stdout).toContain('error: Blank images (1)\n  scan-3 (b)');
  expect(status).toBe(3);
  expect(readFileSync(list, 'utf8')).toBe('id,reason\nscan-3,blank (b)\nagain,"exact-duplicates (a, b)"\n');
  expect(readFileSync(page, 'utf8')).toContain('Blank images');
  expect(stderr).toContain('1 of the 2 samples to drop has other images than the one at fault.');

  const again = check(...words);
  expect(again.status).toBe(2);
  expect(again.stderr).toContain('exists; choose another name, or --overwrite it');
  expect(check(...words, '--overwrite').status).toBe(3);
});

it('exits with 0 on warnings and prints only JSON on stdout', () => {
  const { status, stdout } = check('--data', 'phantom:breast,pairs=3', '--quick', '--json');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    version: 2,
    samples: 3,
    counts: { error: 0 },
    findings: [{ code: 'rare-class' }, {}],
  });
});

it('finds a subject on two sides of the given folds', () => {
  const splits = join(folder, 'splits.json');
  const ids = ['scan-0', 'scan-1', 'scan-2', 'scan-3', 'scan-4', 'again'];
  const folds = Object.fromEntries(ids.map((id, i) => [id, i % 2]));
  folds.again = 0;
  writeFileSync(
    splits,
    JSON.stringify({ version: 1, seed: 0, k: 2, source: 'generated', dataset: 'x', folds }),
  );
  const { status, stdout } = check(manifest, '--splits', splits, '--json');
  expect(status).toBe(3);
  const codes = JSON.parse(stdout).findings.map(({ code }: { code: string }) => code);
  expect(codes).toContain('duplicates-across-folds');
});

it('names the images of two folders that have no mate', () => {
  const [a, b] = ['A', 'B'].map((name) => join(folder, name)) as [string, string];
  for (const side of [a, b]) mkdirSync(side);
  for (const i of [0, 1, 2]) copyFileSync(join(folder, `${i}-a.png`), join(a, `${i}.png`));
  for (const i of [0, 1]) copyFileSync(join(folder, `${i}-b.png`), join(b, `${i}.png`));
  const { status, stdout } = check(a, '--data-b', b);
  expect(stdout).toContain(`error: Images without a mate (1)\n  2: ${join(a, '2.png')}: no mate in ${b}`);
  expect(status).toBe(3);
});

it('refuses data named twice and a report that is no page', () => {
  const twice = check(manifest, '--data', 'phantom:breast');
  expect([twice.status, twice.stderr]).toEqual([2, expect.stringContaining('name it once')]);
  expect(check(manifest, '--report', join(folder, 'check.pdf')).status).toBe(2);
  expect(check('no-such-folder').status).toBe(3);
  expect(check().status).toBe(2);
});

it('ends at once when interrupted and leaves nothing behind', async () => {
  const out = mkdtempSync(join(folder, 'out-'));
  const child = spawn(process.execPath, [
    main,
    'data',
    'check',
    'phantom:breast,pairs=5000',
    '--report',
    join(out, 'check.html'),
    '--drop-list',
    join(out, 'drop.csv'),
  ]);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise<void>((resolve) => child.stderr.on('data', (text) => /checking/.test(text) && resolve()));
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(readdirSync(out)).toEqual([]);
  expect(existsSync(join(out, 'drop.csv'))).toBe(false);
});
