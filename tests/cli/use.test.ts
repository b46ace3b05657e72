import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyPairs } from '../evaluation/tinyPairs.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let folder: string;
let manifest: string;

function anatomy(...words: string[]) {
  return spawnSync(process.execPath, [main, ...words], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'use-cli-'));
  ({ manifest } = await tinyPairs(join(folder, 'images'), 12));
  const settings = ['method=instdis', 'data.size=32', 'model.width=0.25', 'training.batchSize=8'];
  const { status, stderr } = anatomy(
    ...['pretrain', '--data', manifest, '--set', ...settings, '--steps', '1', '--out', 'run'],
  );
  expect([status, stderr]).toEqual([0, expect.stringContaining('finished')]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('from a run to predictions: embed, fit, predict with its page, similar, a card', () => {
  const embed = anatomy('embed', '--run', 'run', '--out', 'new/features.csv', '--json');
  expect(embed.status).toBe(0);
  expect(JSON.parse(embed.stdout)).toMatchObject({ files: ['new/features.csv'], samples: 24, columns: 256 });

  const fit = anatomy('fit', '--run', 'run', '--folds', '2', '--out', 'model.safetensors');
  expect([fit.status, fit.stdout]).toEqual([0, 'model.safetensors\n']);
  expect(fit.stderr).toMatch(/24 samples of 12 subjects; out of 2 folds AUC 0\.\d{3} \(95 % interval /);
  expect(fit.stderr).toContain('a sample is called malignant above 0.');

  const words = ['--model', 'model.safetensors', '--data', manifest, '--out', 'p.csv', '--page', 'page'];
  const predict = anatomy('predict', ...words);
  expect([predict.status, predict.stdout]).toEqual([0, 'p.csv\np.subjects.csv\npage/index.html\n']);
  expect(predict.stderr).toContain('the data has labels: AUC');
  const page = readFileSync(join(folder, 'page/index.html'), 'utf8');
  expect(page).toContain('Least certain');
  // Nobody asked for images of patients.
  expect(page).not.toContain('<img');

  const similar = anatomy('similar', '--run', 'run', '--query', 'x3', '--count', '2', '--json');
  expect(similar.status).toBe(0);
  expect(JSON.parse(similar.stdout).queries[0].cases).toHaveLength(2);

  const card = anatomy('export', 'card', '--run', 'run', '--out', 'README.md');
  expect([card.status, card.stdout]).toEqual([0, 'README.md\n']);
  expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('library_name: anatomy-ssl');
});

test('mistakes end with 2, files that cannot be read with 3, and nothing is written', () => {
  const ends = (...words: string[]) => {
    const { status, stderr, stdout } = anatomy(...words);
    expect(stdout).toBe('');
    return [status, stderr];
  };
  expect(ends('embed', '--run', 'run', '--out', 'x.npy', '--features', 'hed')).toEqual([
    2,
    expect.stringContaining('did you mean head?'),
  ]);
  expect(ends('fit', '--run', 'run', '--out', 'x', '--preset', 'hu')).toEqual([
    2,
    expect.stringContaining('--preset is a setting of finetuning; add --finetune'),
  ]);
  expect(ends('predict', '--model', 'run/encoder.safetensors', '--data', manifest, '--out', 'x.csv')).toEqual(
    [3, expect.stringContaining('is no model of anatomy fit')],
  );
  expect(ends('pretrain', '--out', 'run', '--more-steps', '2', '--seed', '1')).toEqual([
    2,
    expect.stringContaining('--more-steps takes all settings from the run; leave out --seed'),
  ]);
  for (const name of ['x.npy', 'x', 'x.csv']) expect(existsSync(join(folder, name))).toBe(false);
});
