import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { anatomyProgram } from '../../../src/cli/program.js';
import { writePack } from '../../../src/data/pack/packWrite.js';
import type { Splits } from '../../../src/data/splits/splits.js';
import { Random } from '../../../src/tensor/random.js';
import { threeModalities, withGaps } from '../../data/gapped.js';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
let folder: string;

function split(out: string, ...words: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [main, 'data', 'split', '--out', join(folder, out), ...words],
    { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
  );
  const saved = () => JSON.parse(readFileSync(join(folder, out), 'utf8')) as Splits;
  return { status, stdout, stderr, saved };
}

/**
 * Writes BUSI's layout with noise for pictures; `benign (2)` is `benign (1)` pixel by pixel, `malignant (3)` is `benign
 * (3)`.
 */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'data-split-'));
  for (const label of ['benign', 'malignant']) {
    mkdirSync(join(folder, 'busi', label), { recursive: true });
    for (let i = 1; i <= 6; i += 1) {
      const shown = label === 'benign' && i === 2 ? 1 : i;
      const random = new Random(1, i === 3 ? 'both' : label, shown);
      const noise = Uint8Array.from({ length: 48 * 48 }, () => Math.floor(random.uniform() * 256));
      const raw = { width: 48, height: 48, channels: 1 } as const;
      await sharp(noise, { raw })
        .png()
        .toFile(join(folder, 'busi', label, `${label} (${i}).png`));
    }
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

it('ties duplicates together, warns of those of two classes, and counts them', () => {
  const { status, stdout, stderr, saved } = split('s.json', '--data', join(folder, 'busi'), '--folds', '3');
  expect(status).toBe(0);
  expect(stdout.split('\n')).toEqual([
    ...[0, 1, 2].map((fold) =>
      expect.stringMatching(`^fold ${fold}: 4 pairs of 4 subjects \\(benign 2, malignant 2\\)$`),
    ),
    'exact and near duplicates tie 4 samples into 2 groups, each in one fold',
    '',
  ]);
  expect(stderr).toContain(
    'Duplicates of different classes: 1, such as "benign (3)" (benign), "malignant (3)" (malignant)',
  );
  const { folds, groups } = saved();
  expect(folds['benign (1)']).toBe(folds['benign (2)']);
  expect(folds['benign (3)']).toBe(folds['malignant (3)']);
  expect(groups).toEqual({
    ...{ 'benign (1)': 'duplicates-1', 'benign (2)': 'duplicates-1' },
    ...{ 'benign (3)': 'duplicates-2', 'malignant (3)': 'duplicates-2' },
  });
});

it('takes drop lists, classes and a config, and says when duplicates are not looked for', () => {
  writeFileSync(join(folder, 'drop.csv'), 'id,reason\nmalignant (3),also benign\n');
  writeFileSync(
    join(folder, 'c.yaml'),
    `data: { path: ${join(folder, 'busi')}, drop: ${join(folder, 'drop.csv')}, classes: [malignant] }\n`,
  );
  const config = ['--config', join(folder, 'c.yaml'), '--folds', '2', '--json'];
  const { status, stdout, saved } = split('dropped.json', ...config, '--duplicates', 'ignore');
  expect(status).toBe(0);
  const { folds, tied } = JSON.parse(stdout);
  expect(tied).toEqual({ groups: 0, samples: 0 });
  expect(folds.map(({ classes }: { classes: unknown }) => classes)).toEqual(
    expect.arrayContaining([{ malignant: 2 }, { malignant: 3 }]),
  );
  expect(Object.keys(saved().folds)).not.toContain('malignant (3)');
});

it('warns when samples that stay together are more than a fold', () => {
  writeFileSync(
    join(folder, 'm.csv'),
    [
      'id,subject,a,label',
      ...['benign', 'malignant'].flatMap((label) =>
        [1, 4, 5, 6].map(
          (i) => `${label}${i},${i > 1 ? 'big' : label},busi/${label}/${label} (${i}).png,${label}`,
        ),
      ),
    ].join('\n'),
  );
  const { stderr } = split('m.json', '--data', join(folder, 'm.csv'), '--column', 'b=null', '--folds', '3');
  expect(stderr).toMatch(/the subject "big" has 6 of 8 samples.*larger than its share of 3/);
});

it('refuses flags that it does not know, and an --out that exists', async () => {
  const words = (...more: string[]) => ['data', 'split', '--out', join(folder, 'new.json'), ...more];
  const refusal = (...more: string[]) => anatomyProgram().parseAsync(words(...more), { from: 'user' });
  const data = ['--data', join(folder, 'busi')];
  await expect(refusal(...data, '--duplicates', 'some')).rejects.toThrow(
    'expected one of near, exact, ignore',
  );
  await expect(refusal()).rejects.toThrow('a known data set’s folder (BraTS');
  writeFileSync(join(folder, 'new.json'), '');
  await expect(refusal(...data)).rejects.toThrow('exists; choose another --out');
});

it('counts the images of each fold where some are missing, and warns of modalities that a fold lacks', async () => {
  const complete = await threeModalities(join(folder, 'files'));
  // Both samples of the first patient have `c`, and nobody else.
  const gapped = withGaps(complete, (i, modality) =>
    modality === 'c' ? i > 1 : modality === 'b' && i === 4,
  );
  const [pack, whole] = [join(folder, 'gapped.safetensors'), join(folder, 'whole.safetensors')];
  await writePack(gapped, pack, { size: 32 });
  await writePack(complete, whole, { size: 32 });
  const { status, stdout, stderr, saved } = split('gapped.json', '--data', pack, '--folds', '3');
  expect(status).toBe(0);
  const lines = stdout.split('\n').filter((line) => line.startsWith('fold'));
  expect(lines).toHaveLength(3);
  for (const line of lines)
    expect(line).toMatch(/^fold \d: 4 samples of 2 subjects \(.*\); images a 4, b [34], c [02]$/);
  expect(lines.filter((line) => line.endsWith('c 2'))).toHaveLength(1);
  const own = saved().folds['pair-0'] as number;
  const others = [0, 1, 2].filter((fold) => fold !== own).join(', ');
  expect(stderr).toContain(
    `No sample of the folds ${others} has an image of c, so nothing is judged by it there.`,
  );
  expect(stderr).toContain(`All samples with an image of c are in fold ${own}, so none is left to train on`);
  const { folds } = JSON.parse(split('again.json', '--data', pack, '--folds', '3', '--json').stdout);
  expect(folds[own].images).toEqual({ a: 4, b: expect.any(Number), c: 2 });
  // What is missing changes no fold, and complete data have no such counts.
  const all = split('whole.json', '--data', whole, '--folds', '3');
  expect(all.saved().folds).toEqual(saved().folds);
  expect(all.stdout).toMatch(/^fold 0: 4 pairs of 2 subjects \([^)]*\)\n/);
  expect(all.stderr).not.toContain('image of');
});
