import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMetricLines, readRunSummary } from '../../src/server/readRun.js';
import { RunsWatch } from '../../src/server/watchRuns.js';
import { LeaseWatch, takeLease } from '../../src/training/lease.js';
import { loggedLines, storeEvaluation, storeRun } from '../report/storedRun.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'runs-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const silent = { doing: 'training', onInfo: () => {} };

/** Leaves the lease of a process that has ended. */
function leaveLease(folder: string): void {
  const { pathname } = new URL('../../dist/training/lease.js', import.meta.url);
  const script = `import { takeLease } from ${JSON.stringify(pathname)};
    await takeLease(${JSON.stringify(folder)}, { doing: 'training', onInfo() {} });
    process.kill(process.pid, 'SIGKILL');`;
  spawnSync(process.execPath, ['--input-type=module', '-e', script]);
}

describe('the list of runs', () => {
  it('has every run below the folder, whatever its state, and what it is', async () => {
    const unfinished = (name: string) =>
      storeRun(join(root, name), { finished: false, lines: loggedLines(10) });
    storeEvaluation(storeRun(join(root, 'deep/er/finished')));
    unfinished('interrupted');
    const lease = await takeLease(unfinished('training'), silent);
    leaveLease(unfinished('gone'));
    writeFileSync(
      join(unfinished('diverged'), 'failure.json'),
      '{"step": 11, "reason": "the loss is NaN", "more": 1}',
    );
    writeFileSync(join(unfinished('unreadable'), 'config.yaml'), 'seed: [');
    const watch = new RunsWatch(root);
    watch.look();
    const runs = new Map(watch.runs().map((run) => [run.id, run]));
    expect(Object.fromEntries([...runs].map(([id, { state }]) => [id, state]))).toEqual({
      'deep/er/finished': 'finished',
      diverged: 'diverged',
      gone: 'gone',
      interrupted: 'interrupted',
      training: 'training',
      unreadable: 'unreadable',
    });
    expect(runs.get('training')).toMatchObject({
      method: 'anatomy',
      seed: 0,
      steps: { done: 10, planned: 40 },
      loss: 4,
      pairsPerSecond: 50,
      secondsLeft: (30 * 8) / 50,
      results: [],
    });
    expect(runs.get('training')!.settings).toMatchObject({ 'model.width': '0.25', 'method.maps': '[1,2,3]' });
    expect(runs.get('training')!.settings).not.toHaveProperty('seed');
    expect(runs.get('interrupted')!.secondsLeft).toBeNull();
    expect(runs.get('diverged')!.problem).toBe('step 11: the loss is NaN');
    expect(runs.get('unreadable')!.problem).toContain('config.yaml');
    const [result] = runs.get('deep/er/finished')!.results;
    expect(result).toMatchObject({ name: 'logreg · pooled · a', metric: 'auc' });
    expect(result!.low).toBeLessThan(result!.value);
    lease.release();
    expect(watch.look().changed.map(({ id, state }) => `${id} ${state}`)).toEqual(['training interrupted']);
  });

  it('tells only what has changed', () => {
    const run = storeRun(join(root, 'run'), { finished: false, lines: loggedLines(3) });
    storeRun(join(root, 'other'));
    const watch = new RunsWatch(root);
    const told: string[][] = [];
    const stop = watch.listen(({ changed, removed }) => {
      told.push([
        ...changed.map(({ id, steps }) => `${id} ${steps.done}`),
        ...removed.map((id) => `- ${id}`),
      ]);
    });
    watch.look();
    appendFileSync(join(run, 'metrics.jsonl'), '{"step":4,"loss":1}\n{"step":5,"lo');
    watch.look();
    rmSync(join(root, 'other'), { recursive: true });
    watch.look();
    stop();
    rmSync(run, { recursive: true });
    watch.look();
    expect(told).toEqual([['other 40', 'run 3'], ['run 4'], ['- other']]);
  });

  it('goes on where a run vanishes while it looks, or is somebody else’s', async () => {
    const run = storeRun(join(root, 'run'));
    storeRun(join(root, 'other'));
    const watch = new RunsWatch(root, 5);
    const told: string[] = [];
    const stop = watch.listen(({ changed, removed }) => {
      told.push(...changed.map(({ id }) => id), ...removed.map((id) => `- ${id}`));
      // What is deleted in the middle of a look.
      rmSync(run, { recursive: true, force: true });
    });
    await expect.poll(() => told, { timeout: 60_000 }).toContain('- run');
    storeRun(join(root, 'new'));
    await expect.poll(() => told, { timeout: 60_000 }).toContain('new');
    stop();
    expect(readRunSummary(join(root, 'nothing'), 'nothing', new LeaseWatch())).toMatchObject({
      state: 'unreadable',
      bytes: 0,
    });
  });

  it.skipIf(process.getuid?.() === 0)(
    'takes a run of which only another user may read the lease',
    async () => {
      const run = storeRun(join(root, 'run'), { finished: false });
      const lease = await takeLease(run, silent);
      chmodSync(join(run, 'running.json'), 0o000);
      const watch = new RunsWatch(root);
      watch.look();
      expect(watch.runs().map(({ state }) => state)).toEqual(['training']);
      lease.release();
    },
  );

  it('does not follow links, and knows no folder but those of runs', () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'));
    storeRun(join(elsewhere, 'private'));
    storeRun(join(root, 'run'));
    symlinkSync(elsewhere, join(root, 'link'));
    const watch = new RunsWatch(root);
    watch.look();
    expect(watch.runs().map(({ id }) => id)).toEqual(['run']);
    expect(watch.folderOf('run')).toBe(join(root, 'run'));
    for (const id of ['', '..', 'link/private', '../run', 'run/checkpoints', '/etc']) {
      expect(watch.folderOf(id), id).toBeUndefined();
    }
    rmSync(elsewhere, { recursive: true });
  });

  it('is the run itself where the folder is one', () => {
    storeRun(root);
    const watch = new RunsWatch(root);
    watch.look();
    expect(watch.runs().map(({ id }) => id)).toEqual(['.']);
    expect(watch.folderOf('.')).toBe(join(root, '.'));
  });
});

describe('a lease on another machine', () => {
  it('counts as alive while its file is touched, and for a while after', async () => {
    const file = join(root, 'running.json');
    const content = {
      id: 'x',
      host: 'far',
      idSpace: 'another',
      since: 'now',
      process: { pid: 1, start: '1' },
    };
    writeFileSync(file, JSON.stringify({ ...content, children: [] }));
    const watch = new LeaseWatch();
    expect(watch.look(root, 50)).toBe('alive');
    expect(watch.look(root, 60_000)).toBe('alive');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(watch.look(root, 50)).toBe('gone');
    writeFileSync(file, JSON.stringify({ ...content, id: 'y', children: [] }));
    expect(watch.look(root, 50)).toBe('alive');
    rmSync(file);
    expect(watch.look(root)).toBe('nobody');
  });
});

describe('the lines of a metrics file', () => {
  it('come from a place on, whole ones only, and from the start once the file was cut', () => {
    const file = join(root, 'metrics.jsonl');
    expect(readMetricLines(file, 0)).toMatchObject({ lines: [], next: 0, again: false });
    writeFileSync(file, '{"step":1,"loss":2,"note":"ü"}\n{"step":2,"lo');
    const first = readMetricLines(file, 0);
    expect(first.lines).toEqual([{ step: 1, loss: 2 }]);
    appendFileSync(file, 'ss":1}\n');
    const second = readMetricLines(file, first.next);
    expect(second).toMatchObject({ lines: [{ step: 2, loss: 1 }], again: false });
    expect(readMetricLines(file, second.next).lines).toEqual([]);
    truncateSync(file, first.next);
    expect(readMetricLines(file, second.next)).toEqual({ ...first, again: true });
    rmSync(file);
    expect(readMetricLines(file, second.next)).toMatchObject({ lines: [], next: 0, again: true });
    // A run that was made anew has already grown past the place.
    writeFileSync(`${file}.new`, '{"step":1,"loss":9,"note":"as long as before"}\n{"step":2,"loss":8}\n');
    renameSync(`${file}.new`, file);
    const anew = readMetricLines(file, first.next, 'another');
    expect(anew).toMatchObject({
      again: true,
      lines: [
        { step: 1, loss: 9 },
        { step: 2, loss: 8 },
      ],
    });
    expect(readMetricLines(file, anew.next, anew.file)).toMatchObject({ again: false, lines: [] });
  });
});
