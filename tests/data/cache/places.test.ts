import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { rememberedPlace, rememberPlace } from '../../../src/data/cache/places.js';
import { temporaryFolder } from '../../training/tiny.js';

let cache: string;
const nowhere = { path: null, pathB: null, drop: null };

beforeEach(() => {
  cache = temporaryFolder('anatomy-places-');
  vi.stubEnv('XDG_CACHE_HOME', cache);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

test('places come back absolute, and the later of two replaces the earlier', () => {
  expect(rememberedPlace('hash')).toBeUndefined();
  rememberPlace('hash', { ...nowhere, path: 'old.csv' });
  rememberPlace('hash', { path: 'pairs.csv', pathB: null, drop: '/lists/drop.csv' });
  expect(rememberedPlace('hash')).toEqual({
    path: resolve('pairs.csv'),
    pathB: null,
    drop: '/lists/drop.csv',
  });
  expect(rememberedPlace('other')).toBeUndefined();
});

test('the folder of each modality and the image root are places, found while all folders are there', () => {
  const at = (name: string) => join(cache, name);
  for (const name of ['f1', 't1', 'f2']) mkdirSync(at(name));
  rememberPlace('hash', { ...nowhere, folders: { flair: at('f1'), t1: at('t1') }, imageRoot: 'scans' });
  rememberPlace('hash', { ...nowhere, folders: { flair: at('f2'), t1: at('t2') } });
  expect(rememberedPlace('hash')).toEqual({
    ...nowhere,
    folders: { flair: at('f1'), t1: at('t1') },
    imageRoot: resolve('scans'),
  });
  rmSync(at('f1'), { recursive: true });
  expect(rememberedPlace('hash')?.folders).toEqual({ flair: at('f2'), t1: at('t2') });
});

test('of several places of the same data, the latest one that is still there is found', () => {
  const [first, second] = ['first.csv', 'second.csv'].map((name) => join(cache, name));
  for (const file of [first!, second!]) {
    writeFileSync(file, '');
    rememberPlace('hash', { ...nowhere, path: file });
  }
  expect(rememberedPlace('hash')?.path).toBe(second);
  rmSync(second!);
  expect(rememberedPlace('hash')?.path).toBe(first);
  rmSync(first!);
  expect(rememberedPlace('hash')?.path).toBe(second);
  // As older versions wrote it.
  writeFileSync(
    join(cache, 'anatomy-ssl', 'places', 'old.json'),
    '{"path":"/a.csv","pathB":null,"drop":null}',
  );
  expect(rememberedPlace('old')).toEqual({ ...nowhere, path: '/a.csv' });
});

test('a phantom is no place, and a cache that is damaged or cannot be written stops nothing', () => {
  rememberPlace('hash', { ...nowhere, path: 'phantom:breast' });
  expect(readdirSync(cache)).toEqual([]);
  const places = join(cache, 'anatomy-ssl', 'places');
  mkdirSync(places, { recursive: true });
  writeFileSync(join(places, 'hash.json'), '{ "path": ');
  expect(rememberedPlace('hash')).toBeUndefined();
  writeFileSync(join(places, 'hash.json'), '{ "path": 3 }');
  expect(rememberedPlace('hash')).toBeUndefined();
  rmSync(places, { recursive: true });
  writeFileSync(places, 'a file');
  rememberPlace('hash', { ...nowhere, path: 'pairs.csv' });
  expect(rememberedPlace('hash')).toBeUndefined();
});
