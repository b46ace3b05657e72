import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Config, resolveConfig } from '../../../src/config/index.js';
import { published } from '../../../src/data/pseudonym.js';
import { DataError } from '../../../src/errors.js';
import { MessageConsole } from '../../../src/log/console.js';
import { openRunData, reasonOnPage } from '../../../src/report/source/runData.js';
import type { RunRecord } from '../../../src/report/source/runRecord.js';
import { openImages } from '../../../src/training/imageCache.js';
import { writeFolds } from '../../../src/training/runFolder.js';
import { openData } from '../../../src/training/trainingData.js';
import { Capture } from '../../log/capture.js';

const root = mkdtempSync(join(tmpdir(), 'run-data-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function configOf(...set: string[]): Config {
  return resolveConfig({
    set: ['data.size=32', 'model.width=0.25', `data.cacheFolder=${root}/cache`, ...set],
  });
}

const recordOf = (config: Config, dataHash: string) =>
  ({ root, config, provenance: { dataHash } }) as unknown as RunRecord;

test('the folds of a run are its own, though the file of splits that it was trained with is gone', async () => {
  const config = configOf(
    'data.path=phantom:breast,pairs=4',
    'data.fold=0',
    'data.splits=/elsewhere/splits.json',
  );
  const console = new MessageConsole({ quiet: true });
  const dataset = await openData(config, console);
  const cache = await openImages(dataset, config, config.data.cacheFolder!, console);
  writeFolds(root, new Map(cache.ids.map((id, i) => [id, i % 2])), cache.dataHash);
  const data = await openRunData(recordOf(config, published(cache.dataHash)), console);
  expect(data).toMatchObject({ faults: expect.any(Array), published: published(cache.dataHash) });
});

test('data that are gone are told with the reason, on the page without folders', async () => {
  const screen = new Capture(false);
  const config = configOf('data.path=/secret/place/pairs.csv');
  const data = await openRunData(recordOf(config, 'x'), new MessageConsole({ stream: screen }));
  expect(data).toEqual({
    reason: expect.stringMatching(/^The data could not be opened .*: pairs\.csv: no such file or folder\.$/),
  });
  expect(JSON.stringify(data)).not.toContain('secret');
  expect(screen.text).toContain('/secret/place/pairs.csv');
});

test('a reason that names an image or a value of the data is not told on a page', () => {
  const config = configOf('data.path=/secret/place/pairs.csv');
  const said = (message: string) => reasonOnPage(new DataError(message), config);
  expect(said('/secret/place/miller-a.png: is truncated')).toBe('; the terminal said why');
  expect(said('pairs.csv:3: id "Miller" occurs twice.')).toBe(': pairs.csv:3: id “…” occurs twice');
});
