import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makePrivateFolder, makeTemporary } from '../../../src/data/cache/cacheFolders.js';
import { rememberPlace } from '../../../src/data/cache/places.js';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import type { Dataset } from '../../../src/data/sample.js';
import { AnatomyError } from '../../../src/errors.js';
import { GRAY, png } from '../handmadeImages.js';

let folder: string;
let umask: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cache-folders-'));
  try {
    umask = process.umask(0); // the most open one
  } catch {
    umask = process.umask(); // a worker thread may not set it
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  try {
    process.umask(umask);
  } catch {}
  rmSync(folder, { recursive: true });
});

const mode = (path: string) => statSync(path).mode & 0o777;

function oneImage(): Dataset {
  const path = join(folder, 'a.png');
  writeFileSync(path, png(4, 8, GRAY, Array(4).fill([1, 2, 3, 4])));
  const sample = { id: 's', subject: 's', images: { a: { kind: 'file' as const, path } }, origin: 's' };
  return { name: 'one', modalities: ['a'], samples: [sample] };
}

test('only their owner may read the images, ids and places in the cache', async () => {
  vi.stubEnv('XDG_CACHE_HOME', folder);
  await openImageCache(oneImage(), { size: 4 });
  rememberPlace('hash', { path: '/data/pairs.csv', pathB: null, drop: null });
  const root = join(folder, 'anatomy-ssl');
  const found = readdirSync(root, { recursive: true, withFileTypes: true });
  expect(found.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['index.json', '0-a.u8', 'hash.json']),
  );
  for (const entry of found) {
    expect(mode(join(entry.parentPath, entry.name))).toBe(entry.isDirectory() ? 0o700 : 0o600);
  }
});

test('a folder that an older version left open is closed to others', () => {
  const open = join(folder, 'images');
  mkdirSync(open);
  chmodSync(open, 0o777);
  makePrivateFolder(open);
  expect(mode(open)).toBe(0o700);
});

test('a folder of another user is refused, as the images in it may be anybody’s', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(process.getuid!() + 1);
  const wanted = openImageCache(oneImage(), { size: 4, root: join(folder, 'root') });
  await expect(wanted).rejects.toThrow(AnatomyError);
  await expect(openImageCache(oneImage(), { size: 4, root: join(folder, 'root') })).rejects.toThrow(
    /root\/images belongs to another user \(\d+, not \d+\), who could change the images in it; set XDG_CACHE_HOME/,
  );
});

test('a folder that cannot be made is named', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(() => makePrivateFolder(join(folder, 'file', 'images'))).toThrow(
    `The image cache cannot be written to ${join(folder, 'file', 'images')}: ENOTDIR`,
  );
});

test('a temporary folder is new, and nobody can guess its name', async () => {
  const [one, two] = [await makeTemporary(join(folder, 'x')), await makeTemporary(join(folder, 'x'))];
  expect(one).not.toBe(two);
  expect(one).toMatch(/\.tmp-.+-\d+-[0-9a-f]{12}$/);
});
