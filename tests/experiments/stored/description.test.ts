import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { published } from '../../../src/data/pseudonym.js';
import type { Sample } from '../../../src/data/sample.js';
import { imagesKey } from '../../../src/data/sourceDigest.js';
import type { Splits } from '../../../src/data/splits/splits.js';
import { DataError } from '../../../src/errors.js';
import { readConfirmation } from '../../../src/experiments/stored/confirmation.js';
import {
  checkFolds,
  checkSamples,
  describedFolds,
  experimentPaths,
  type KeyedSet,
  readDescription,
  samplesDigest,
  writeDescription,
  writeJson,
} from '../../../src/experiments/stored/folder.js';
import { temporaryFolder } from '../../training/tiny.js';
import { description, storeExperiment } from '../storedCells.js';

const samples = (label: string): Sample[] =>
  ['p', 'q'].map((id) => ({ id, subject: id, label, images: {}, origin: id }));
const splits = { version: 3, k: 2, dataset: 'pairs', source: 'generated', seed: 0, groups: {} } as const;
const set = (label = 'benign', folds: Record<string, number> = { p: 0, q: 1 }, key = 'key'): KeyedSet => ({
  dataset: { name: 'pairs', samples: samples(label) },
  splits: { ...splits, folds } as Splits,
  key,
});
const unkeyed = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex');

describe('the folds and samples of an experiment', () => {
  test('other folds are refused, with what was asked for or, where that is the same, with what must have changed', () => {
    const root = temporaryFolder();
    const other = set('benign', { p: 1, q: 0 });
    const check = (asked: KeyedSet) => () => checkFolds(root, asked);
    const refuses = () => {
      expect(check(set())).not.toThrow();
      expect(check({ ...other, splits: { ...other.splits, seed: 1 } })).toThrow(
        'in other folds (2 of pairs, drawn with seed 0; now asked for 2 of pairs, drawn with seed 1)',
      );
      expect(check(other)).toThrow(
        'in other folds, by the same rule (2 of pairs, drawn with seed 0): samples, subjects, labels or images of the data have changed',
      );
    };
    writeFileSync(join(root, 'splits.json'), JSON.stringify(set().splits));
    refuses();
    storeExperiment(root, { folds: { '': describedFolds(set()) } });
    refuses();
  });

  test('corrected labels and other images are refused, unless an older version stored no digest of them', () => {
    const root = temporaryFolder();
    checkSamples(root, set()); // nothing here yet
    storeExperiment(root);
    checkSamples(root, set('malignant'));
    storeExperiment(root, { data: { ...description.data, digest: samplesDigest(set()) } });
    checkSamples(root, set());
    for (const changed of [set('malignant'), set('benign', { p: 0, q: 1 }, 'other images')]) {
      expect(() => checkSamples(root, changed)).toThrow(
        'holds an experiment on other samples: ids, subjects, labels or images of pairs have changed since (a pack or shards are',
      );
    }
  });

  test('their digests cannot be made from names and labels: the key is made of the images', async () => {
    const folder = temporaryFolder();
    const pictures = (text: string) =>
      samples('benign').map((sample) => {
        const path = join(folder, `${sample.id}.png`);
        writeFileSync(path, `${text} ${sample.id}`);
        return { ...sample, images: { a: { kind: 'file' as const, path } } };
      });
    const key = await imagesKey(pictures('one'));
    expect(await imagesKey(pictures('one'))).toBe(key);
    expect(await imagesKey(pictures('two'))).not.toBe(key);
    const { folds } = set().splits;
    const facts = samples('benign').map(({ id, subject, label }) => [id, subject, label]);
    const guesses = [folds, facts].flatMap((value) => [unkeyed(value), published(unkeyed(value))]);
    expect(guesses).not.toContain(describedFolds({ ...set(), key }).digest);
    expect(guesses).not.toContain(samplesDigest({ ...set(), key }));
    expect(samplesDigest({ ...set(), key })).not.toBe(samplesDigest(set()));
  });

  test('those of version 2, which had no key, still tell changes until a run writes version 3', () => {
    const root = temporaryFolder();
    const facts = samples('benign').map(({ id, subject, label }) => [id, subject, label]);
    storeExperiment(root, {
      version: 2,
      data: { ...description.data, digest: published(unkeyed(facts)) },
      folds: { '': { name: '2 of pairs, drawn with seed 0', digest: unkeyed({ p: 0, q: 1 }) } },
    });
    checkSamples(root, set());
    checkFolds(root, set());
    expect(() => checkSamples(root, set('malignant'))).toThrow('on other samples');
    expect(() => checkFolds(root, set('benign', { p: 1, q: 0 }))).toThrow('in other folds, by the same rule');
  });
});

describe('experiment.json', () => {
  const write = (content: string) => {
    const root = temporaryFolder();
    writeFileSync(experimentPaths(root).description, content);
    return root;
  };

  test('comes back as it was written', () => {
    const root = temporaryFolder();
    writeDescription(root, description);
    expect(readDescription(root)).toEqual(JSON.parse(JSON.stringify(description)));
  });

  test('of version 1 is read: each row has one candidate', () => {
    const { version: _, judge: __, folds: ___, protocols: ____, ...first } = description;
    const rows = first.rows.map(({ name, folder, paper }) => ({ name, folder, paper }));
    const root = write(JSON.stringify({ ...first, version: 1, protocols: ['linear', 'logreg'], rows }));
    const { protocols, rows: read, judge } = readDescription(root);
    expect(protocols.map(({ slug, draws }) => [slug, draws])).toEqual([
      ['logreg', 1],
      ['linear', 1],
    ]);
    expect([read[0]!.candidates, judge]).toEqual([[{ name: 'Ours', folder: 'ours' }], []]);
  });

  test.each([
    ['nothing', '', 'it is not JSON'],
    ['null', 'null', 'Invalid input: '],
    ['a version alone', '{"version":2}', 'name: '],
    ['a version to come', JSON.stringify({ ...description, version: 9 }), 'version: '],
    ['rows that are no list', JSON.stringify({ ...description, rows: {} }), 'rows: '],
    ['a row without a name', JSON.stringify({ ...description, rows: [{}] }), 'rows.0.name: '],
    ['folds without a digest', JSON.stringify({ ...description, folds: { '': {} } }), 'folds..name: '],
  ])('that holds %s is refused with the file and the field', (_, content, field) => {
    const root = write(content);
    expect(() => readDescription(root)).toThrow(DataError);
    expect(() => readDescription(root)).toThrow(
      `${experimentPaths(root).description}: is not of this version, or damaged (${field}`,
    );
  });
});

test('a record of looks that is damaged is refused with the file and the field', () => {
  const root = temporaryFolder();
  const file = experimentPaths(root).confirmation;
  for (const [content, field] of [
    [{ version: 1 }, 'looks: '],
    [{ version: 1, looks: [{ at: 'today' }] }, 'looks.0.digest: '],
    [null, 'Invalid input'],
  ]) {
    writeJson(file, content);
    expect(() => readConfirmation(root)).toThrow(`${file}: is not of this version, or damaged (${field}`);
  }
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, -3));
  expect(() => readConfirmation(root)).toThrow(
    `${file}: is not of this version, or damaged (it is not JSON)`,
  );
});
