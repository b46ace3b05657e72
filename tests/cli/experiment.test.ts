import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { experimentTable } from '../../src/experiments/table/experimentTable.js';
import { storeCells, storeExperiment } from '../experiments/storedCells.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let folder: string;

const table = (...words: string[]) =>
  spawnSync(process.execPath, [main, 'experiment', 'table', folder, ...words], { encoding: 'utf8' });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'experiment-cli-'));
  storeExperiment(folder);
  storeCells(folder, 'ours', { auc: 0.83 });
});
afterAll(() => rmSync(folder, { recursive: true }));

it('prints the table for people, and with --json all of it for programs', () => {
  expect(table()).toMatchObject({ status: 0, stderr: '' });
  expect(table().stdout).toMatch(/^\| Ours .*0\.830/m);
  const { status, stdout, stderr } = table('--json');
  expect([status, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(experimentTable(folder, {}))));
  expect(stdout).toContain('0.83');
});

it('ends with 2 for another format, and for a folder that is no experiment', () => {
  const other = table('--format', 'html');
  expect(other.status).toBe(2);
  expect(other.stderr).toContain('--format is html, expected one of markdown, csv, latex');
  const none = spawnSync(process.execPath, [main, 'experiment', 'table', tmpdir(), '--json'], {
    encoding: 'utf8',
  });
  expect([none.status, none.stdout]).toEqual([2, '']);
});
