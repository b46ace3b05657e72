import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { experimentPaths } from '../../src/experiments/stored/folder.js';
import { serveApp } from '../../src/server/app.js';
import { ExplorerThread } from '../../src/server/explorer/explorerThread.js';
import type { ExperimentSummary, RunsList } from '../../src/server/messages.js';
import { RunsWatch } from '../../src/server/watchRuns.js';
import { takeLease } from '../../src/training/lease.js';
import { resultOf, sectionsOf } from '../../web/grouping.js';
import { storeCells, storeExperiment } from '../experiments/storedCells.js';
import { storeEvaluation, storeRun } from '../report/storedRun.js';

let root: string;
let out: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'experiments-'));
  out = join(root, 'table');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const CELLS = ['ours', 'l-c-alone', 'authors'].flatMap((row) =>
  ['pretrain', 'logreg'].map((what) => `${row}/seed-0/${what}`),
);

const atWork = (id: string) =>
  takeLease(experimentPaths(out).atWorkOn(id), { doing: 'at work', onInfo: () => {} });

function log(id: string, ...lines: string[]): void {
  const file = experimentPaths(out).log(id);
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, `$ OMP_NUM_THREADS=1 node main.js\n${lines.map((line) => `${line}\n`).join('')}`);
}

function looked(): { watch: RunsWatch; only: () => ExperimentSummary } {
  const watch = new RunsWatch(root);
  watch.look();
  return { watch, only: () => watch.experiments()[0]! };
}

describe('an experiment', () => {
  it('tells how many of its cells are finished, at work, failed and left, and for how long', async () => {
    storeExperiment(out, { cells: CELLS });
    storeCells(out, 'ours', { auc: 0.8 }); // each took a minute
    const { watch, only } = looked();
    expect(only()).toMatchObject({
      id: 'table',
      name: 'methods',
      cells: { finished: 2, running: 0, failed: 0, left: 4 },
      secondsLeft: null,
      problems: [],
      report: false,
    });
    const lease = await atWork('l-c-alone/seed-0/pretrain');
    expect(watch.look().experiments).toHaveLength(1);
    expect(only().cells).toEqual({ finished: 2, running: 1, failed: 0, left: 3 });
    expect(only().secondsLeft).toBe(4 * 60);
    log('l-c-alone/seed-0/pretrain', 'error: out of memory', '', 'failed: exit 1: out of memory');
    expect(only().cells.running).toBe(1); // it is at work again
    lease.release();
    watch.look();
    expect(only()).toMatchObject({
      cells: { finished: 2, running: 0, failed: 1, left: 3 },
      secondsLeft: null,
    });
    expect(only().problems).toEqual([
      'l-c-alone/seed-0/pretrain: exit 1: out of memory; log: logs/l-c-alone/seed-0/pretrain.log',
    ]);
    // Another attempt that was interrupted did not fail.
    log('l-c-alone/seed-0/pretrain', 'saved');
    watch.look();
    expect(only().cells).toEqual({ finished: 2, running: 0, failed: 0, left: 4 });
    expect(watch.look()).toEqual({ changed: [], removed: [] });
  });

  it('says what is wrong with its files, and goes on', () => {
    storeExperiment(out, { cells: CELLS });
    storeCells(out, 'ours', { auc: 0.8 });
    const { cell, description } = experimentPaths(out);
    truncateSync(cell('ours/seed-0/logreg'), 100);
    cpSync(out, join(root, 'whole'), { recursive: true });
    truncateSync(description, 100);
    cpSync(out, join(root, 'headless'), { recursive: true });
    rmSync(join(root, 'headless/experiment.json'));
    mkdirSync(join(root, 'headless/configs'));
    mkdirSync(join(root, 'table/at-work/%E0%A4%A'), { recursive: true });
    const { watch } = looked();
    const [headless, torn, whole] = watch.experiments();
    expect(headless!.problems.join()).toContain('no experiment here (no experiment.json)');
    expect(torn!.problems.join()).toContain('experiment.json: is not of this version, or damaged');
    for (const { name, cells } of [headless!, torn!]) {
      expect(['headless', 'table']).toContain(name);
      expect(cells).toEqual({ finished: 1, running: 0, failed: 1, left: null });
    }
    expect(whole!.cells).toEqual({ finished: 1, running: 0, failed: 1, left: 4 });
    expect(whole!.problems).toEqual([expect.stringMatching(/logreg\.json: .*delete it and the cell is run/)]);
    storeCells(join(root, 'whole'), 'ours', { auc: 0.8 });
    watch.look();
    expect(watch.experiments()[2]).toMatchObject({ cells: { finished: 2, failed: 0 }, problems: [] });
    rmSync(out, { recursive: true });
    expect(watch.look().experiments!.map(({ id }) => id)).toEqual(['headless', 'whole']);
  });

  it('of an older version does not say how many cells are left', () => {
    storeExperiment(out);
    storeCells(out, 'ours', { auc: 0.8 });
    expect(looked().only()).toMatchObject({
      cells: { finished: 2, running: 0, failed: 0, left: null },
      problems: [],
    });
  });

  it('holds its runs, by row over seeds and folds, with the results of both', () => {
    storeExperiment(out, { cells: [...CELLS, ...CELLS.map((id) => id.replace('seed-0', 'seed-1'))] });
    for (const seed of [0, 1]) {
      const run = join(out, `runs/ours/seed-${seed}`);
      storeEvaluation(storeRun(run));
      storeCells(out, 'ours', { auc: 0.8, seed }); // the same result as the run's own
      for (const fold of [0, 1]) storeRun(join(out, `runs/l-c-alone/seed-${seed}/fold-${fold}`));
      storeCells(out, 'l-c-alone', { auc: 0.7 + seed / 10, seed });
    }
    storeRun(join(root, 'alone'));
    const { watch } = looked();
    const [own, row] = sectionsOf(watch.runs(), watch.experiments(), true).reverse();
    expect([own!.experiment?.id, row!.experiment]).toEqual(['table', undefined]);
    expect(own!.groups.map((group) => [group.row, group.runs.length])).toEqual([
      ['Ours', 2],
      ['L_C alone', 4],
    ]);
    const [ours, folds] = own!.groups.map((group) => resultOf(group, 'logreg · pooled · a+b · auc'));
    expect(ours!.runs).toBe(2);
    expect(folds).toMatchObject({ runs: 2, value: expect.closeTo(0.75, 9) });
    expect(folds!.low).toBeLessThan(0.7);
    const apart = sectionsOf(watch.runs(), watch.experiments(), false);
    expect(apart.map(({ groups }) => groups.length)).toEqual([1, 6]);
  });

  it('takes the runs of the folder that is served, if it is one', () => {
    storeExperiment(root, { cells: CELLS });
    storeRun(join(root, 'runs/ours/seed-0'));
    const { watch, only } = looked();
    expect(only().id).toBe('.');
    const [own] = sectionsOf(watch.runs(), watch.experiments(), true);
    expect(own!.groups.map(({ row }) => row)).toEqual(['Ours']);
  });
});

describe('the server', () => {
  const headers = { host: '127.0.0.1:8765', cookie: 'anatomy-8765=word' };
  const app = (isPublic: boolean) => {
    const threads = { explorer: new ExplorerThread(), auditor: new ExplorerThread() };
    return serveApp({ root, page: root, token: 'word', port: 8765, hosts: [], isPublic, ...threads });
  };
  const report = (id: string, isPublic = false) =>
    app(isPublic).request(`/report?${new URLSearchParams({ experiment: id })}`, { headers });

  it('gives the report of an experiment and of no other folder, and to the public none', async () => {
    storeExperiment(out, { cells: CELLS });
    expect((await report('table')).status).toBe(404);
    for (const folder of [out, root]) {
      mkdirSync(join(folder, 'report'));
      writeFileSync(join(folder, 'report/index.html'), 'the report');
    }
    const given = await report('table');
    expect(await given.text()).toBe('the report');
    expect(given.headers.get('content-security-policy')).toContain("default-src 'none'; style-src");
    for (const id of ['', '.', '..', 'table/..', 'nothing']) expect((await report(id)).status, id).toBe(404);
    expect((await report('table', true)).status).toBe(404);
  });

  it('tells the public neither what a cell said nor where it lies', async () => {
    storeExperiment(out, { cells: CELLS });
    truncateSync(experimentPaths(out).description, 50);
    log('ours/seed-0/pretrain', 'error: cannot read /home/clinic/patient-7.png');
    const said = async (isPublic: boolean) => (await app(isPublic).request('/api/runs', { headers })).text();
    expect(await said(false)).toContain('patient-7');
    const open = await said(true);
    expect((JSON.parse(open) as RunsList).experiments[0]!.problems).toHaveLength(1);
    for (const word of ['patient-7', '/home', root]) expect(open).not.toContain(word);
  });
});
