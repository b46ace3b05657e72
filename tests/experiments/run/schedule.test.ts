import { expect, test } from 'vitest';
import { schedule, type Task } from '../../../src/experiments/run/schedule.js';

/** Makes tasks that end when they are told to. */
function stage(tasks: readonly Task[], { jobs = 2, done = [] as string[] } = {}) {
  const begun: string[] = [];
  const ends = new Map<string, (succeeded: boolean) => void>();
  const stop = new AbortController();
  const execute = ({ id }: Task) => {
    begun.push(id);
    return new Promise<boolean>((resolve) => {
      ends.set(id, resolve);
    });
  };
  const over = schedule(tasks, { jobs, done: new Set(done), execute, signal: stop.signal });
  const end = async (id: string, succeeded = true) => {
    ends.get(id)!(succeeded);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, end, stop, over };
}

const task = (id: string, ...needs: string[]): Task => ({ id, needs });

test('tasks run in order, a limited number at a time, and later ones begin while earlier ones wait', async () => {
  const { begun, end, over } = stage([
    task('p'),
    task('p1', 'p'),
    task('p2', 'p'),
    task('q'),
    task('q1', 'q'),
  ]);
  expect(begun).toEqual(['p', 'q']);
  await end('q');
  expect(begun).toEqual(['p', 'q', 'q1']);
  await end('p');
  expect(begun).toEqual(['p', 'q', 'q1', 'p1']);
  await end('q1');
  await end('p1');
  await end('p2');
  expect(await over).toEqual([]);
  expect(begun).toEqual(['p', 'q', 'q1', 'p1', 'p2']);
});

test('a task that is done is not done again, and counts for those that need it', async () => {
  const { begun, end, over } = stage([task('p2', 'p')], { done: ['p'] });
  await end('p2');
  expect([await over, begun]).toEqual([[], ['p2']]);
});

test('a task that fails holds back only those that need it', async () => {
  const { begun, end, over } = stage(
    [task('p'), task('p1', 'p'), task('q'), task('q1', 'q', 'r'), task('r')],
    {
      jobs: 1,
    },
  );
  await end('p', false);
  await end('q');
  await end('r');
  await end('q1');
  expect((await over).map(({ id }) => id)).toEqual(['p1']);
  expect(begun).toEqual(['p', 'q', 'r', 'q1']);
});

test('after an abort no task begins, and those at work are waited for', async () => {
  const { begun, end, stop, over } = stage([task('p'), task('q'), task('r')]);
  stop.abort();
  await end('p');
  let ended = false;
  void over.then(() => {
    ended = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect([begun, ended]).toEqual([['p', 'q'], false]);
  await end('q');
  expect((await over).map(({ id }) => id)).toEqual(['r']);
});

test('a task that another process does is asked for again, while others run; a signal ends the wait', async () => {
  const stop = new AbortController();
  const asked: string[] = [];
  const answers: Record<string, (boolean | 'elsewhere')[]> = {
    p: ['elsewhere', 'elsewhere', true],
    q: [true],
    p1: [true],
  };
  const execute = async ({ id }: Task) => {
    asked.push(id);
    return answers[id]?.shift() ?? ('elsewhere' as const);
  };
  const options = { jobs: 1, done: new Set<string>(), execute, signal: stop.signal };
  expect(await schedule([task('p'), task('p1', 'p'), task('q')], { ...options, patience: 1 })).toEqual([]);
  expect(asked).toEqual(['p', 'q', 'p', 'p', 'p1']);
  const over = schedule([task('r'), task('r1', 'r')], { ...options, patience: 1e6 });
  stop.abort();
  expect((await over).map(({ id }) => id).sort()).toEqual(['r', 'r1']);
});
