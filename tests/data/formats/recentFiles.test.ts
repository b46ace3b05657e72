import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { RecentFiles } from '../../../src/data/formats/recentFiles.js';
import { DataError } from '../../../src/errors.js';

let folder: string;
let decoded: string[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recent-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  decoded = [];
  for (const name of ['a', 'b', 'c']) writeFileSync(join(folder, name), name);
});

/** Each file counts for 10 bytes. */
function recent(most: { files: number; bytes: number }) {
  const files = new RecentFiles<string>(async (path) => {
    decoded.push(path.at(-1)!);
    return { content: path, bytes: 10 };
  }, most);
  return async (...names: string[]) => {
    for (const name of names) await files.get(join(folder, name));
  };
}

it('a file is decoded once, also when it is asked for twice at a time', async () => {
  const get = recent({ files: 2, bytes: 100 });
  await Promise.all([get('a'), get('a'), get('b', 'a')]);
  // Either file may be opened first, as they are asked for at the same time.
  expect(decoded.sort()).toEqual(['a', 'b']);
});

it('files used longest ago are forgotten, by number and by bytes, but never the latest', async () => {
  await recent({ files: 2, bytes: 100 })('a', 'b', 'a', 'c', 'a', 'b');
  expect(decoded).toEqual(['a', 'b', 'c', 'b']);
  decoded = [];
  await recent({ files: 9, bytes: 5 })('a', 'a', 'b', 'b', 'a');
  expect(decoded).toEqual(['a', 'b', 'a']);
});

it('a file that has changed or could not be read is decoded again', async () => {
  const get = recent({ files: 2, bytes: 100 });
  await get('a');
  writeFileSync(join(folder, 'a'), 'longer');
  await get('a');
  expect(decoded).toEqual(['a', 'a']);
  await expect(get('none')).rejects.toThrow(DataError);
  let broken = true;
  const files = new RecentFiles<number>(
    async () => {
      if (broken) throw new DataError('broken');
      return { content: 1, bytes: 1 };
    },
    { files: 2, bytes: 2 },
  );
  await expect(files.get(join(folder, 'b'))).rejects.toThrow('broken');
  broken = false;
  expect(await files.get(join(folder, 'b'))).toBe(1);
});

it('all files are forgotten when nothing is asked for a while', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const get = recent({ files: 2, bytes: 100 });
    await get('a');
    vi.advanceTimersByTime(15_000);
    await get('a');
    vi.advanceTimersByTime(15_000);
    await get('a');
    expect(decoded).toEqual(['a']);
    vi.advanceTimersByTime(25_000);
    await get('a');
    expect(decoded).toEqual(['a', 'a']);
  } finally {
    vi.useRealTimers();
  }
});
