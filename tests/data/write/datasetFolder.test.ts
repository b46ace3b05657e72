import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readPixels } from '../../../src/data/formats/index.js';
import { readSampleImage } from '../../../src/data/images/readSampleImage.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset } from '../../../src/data/sample.js';
import { type DatasetToWrite, writeDatasetFolder } from '../../../src/data/write/datasetFolder.js';
import { phantomToWrite } from '../../../src/data/write/phantomFolder.js';
import { openPhotographs, simulatedPairs } from '../../../src/data/write/simulatedPairs.js';
import { DataError, UsageError } from '../../../src/errors.js';
import { openPhantom } from '../../../src/phantoms/openPhantom.js';

const root = mkdtempSync(path.join(tmpdir(), 'dataset-folder-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const phantom = async (name: string, size: number) => phantomToWrite(name, await openPhantom(name), size);

describe('a phantom written as a folder', () => {
  test.each(['phantom:fundus,pairs=3,seed=4,misalignment=2', 'phantom:breast,pairs=3,seed=4,overlay=false'])(
    '%s opens to the same data, to the byte',
    async (name) => {
      const out = path.join(root, name.slice(8, 14));
      await writeDatasetFolder(out, await phantom(name, 40));
      const [drawn, read] = await Promise.all([name, out].map((place) => openDataset({ path: place })));
      for (const key of ['name', 'modalities', 'positive', 'simulated', 'colourCoded'] as const) {
        expect(read![key], key).toEqual(drawn![key]);
      }
      expect(read!.samples.map(({ id, subject, label }) => [id, subject, label])).toEqual(
        drawn!.samples.map(({ id, subject, label }) => [id, subject, label]),
      );
      for (const [i, sample] of read!.samples.entries()) {
        for (const modality of ['a', 'b']) {
          const [image, original] = await Promise.all([
            readSampleImage(read!, sample, modality, 40),
            readSampleImage(drawn!, drawn!.samples[i]!, modality, 40),
          ]);
          expect(image.channels).toBe(original.channels);
          expect(new Uint8Array(image.data)).toEqual(original.data);
        }
      }
    },
  );

  test('of three modalities with gaps has empty cells and opens to the same samples', async () => {
    const out = path.join(root, 'gaps');
    const name = 'phantom:breast,pairs=6,seed=2,modalities=3,missing=0.5';
    await writeDatasetFolder(out, await phantom(name, 32));
    const [drawn, read] = await Promise.all([name, out].map((place) => openDataset({ path: place })));
    for (const key of ['modalities', 'simulated', 'colourCoded'] as const)
      expect(read![key]).toEqual(drawn![key]);
    const has = ({ samples }: Pick<Dataset, 'samples'>) =>
      samples.map(({ id, images }) => [id, Object.keys(images)]);
    expect(has(read!)).toEqual(has(drawn!));
    expect(has(read!).flat(2)).not.toHaveLength(24);
    expect(readFileSync(path.join(out, 'manifest.csv'), 'utf8')).toMatch(/^id,subject,a,b,c,label,/);
    expect(readdirSync(path.join(out, 'masks', 'lesion'))).toHaveLength(6);
    // Whoever names columns or modalities does not get those of the card.
    expect((await openDataset({ path: out, modalities: ['c', 'a'] })).modalities).toEqual(['c', 'a']);
    expect((await openDataset({ path: out, columns: { b: null } })).modalities).toEqual(['a']);
  });

  test('has its parameters as columns and its masks as label maps', async () => {
    const out = path.join(root, 'columns');
    const name = 'phantom:fundus,pairs=4,seed=1,task=amd';
    await writeDatasetFolder(out, await phantom(name, 40));
    const { samples } = await openDataset({ path: out });
    const { pair } = await openPhantom(name);
    for (const [index, { id, extra }] of samples.entries()) {
      const { params, masks } = pair(index, 40) as ReturnType<typeof pair> & {
        params: { condition: string; eye: { disc: { cup: number } }; signs: { softDrusen: boolean } };
      };
      expect(extra!.condition).toBe(params.condition);
      expect(Number(extra!['eye.disc.cup'])).toBeCloseTo(params.eye.disc.cup, 5);
      expect(extra!['signs.softDrusen']).toBe(String(params.signs.softDrusen));
      const mask = await readPixels({ kind: 'file', path: path.join(out, 'masks', 'vessels', `${id}.png`) });
      expect(Array.from(mask.data)).toEqual(Array.from(masks.vessels!));
    }
    const card = JSON.parse(readFileSync(path.join(out, 'dataset.json'), 'utf8'));
    expect(card).toMatchObject({
      command: `anatomy data phantom ${name} --size 40 --out FOLDER`,
      version: 1,
      size: 40,
    });
  });
});

describe('writing a data set', () => {
  test('replaces only what it wrote, and only when asked', async () => {
    const out = path.join(root, 'replaced');
    await writeDatasetFolder(out, await phantom('phantom:fundus,pairs=2', 16));
    const again = await phantom('phantom:fundus,pairs=1', 16);
    await expect(writeDatasetFolder(out, again)).rejects.toThrow(/exists; choose another --out/);
    await writeDatasetFolder(out, again, { overwrite: true });
    expect((await openDataset({ path: out })).samples.length).toBe(1);
    expect(statSync(out).mode & 0o777, 'as open to others as any new folder').toBe(0o777 & ~process.umask());
    const foreign = path.join(root, 'foreign');
    mkdirSync(foreign);
    writeFileSync(path.join(foreign, 'thesis.tex'), 'x');
    const refused = writeDatasetFolder(foreign, again, { overwrite: true });
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(/no dataset\.json/);
    expect(readdirSync(foreign)).toEqual(['thesis.tex']);
  });

  test('leaves nothing behind when it is interrupted or fails, and keeps what stood there', async () => {
    const parent = path.join(root, 'interrupted');
    const out = path.join(parent, 'set');
    await writeDatasetFolder(out, await phantom('phantom:fundus,pairs=2', 16));
    const before = readFileSync(path.join(out, 'manifest.csv'), 'utf8');
    const controller = new AbortController();
    const many = await phantom('phantom:fundus,pairs=9', 16);
    const options = {
      overwrite: true,
      signal: controller.signal,
      onProgress: (done: number) => void (done === 3 && controller.abort('SIGINT')),
    };
    await expect(writeDatasetFolder(out, many, options)).rejects.toBe('SIGINT');
    const failing: DatasetToWrite = {
      ...many,
      draw: (sample, index) => {
        if (index === 2) throw new DataError('no ink');
        return many.draw(sample, index);
      },
    };
    await expect(writeDatasetFolder(out, failing, { overwrite: true })).rejects.toThrow('no ink');
    expect(readdirSync(parent)).toEqual(['set']);
    expect(readFileSync(path.join(out, 'manifest.csv'), 'utf8')).toBe(before);
  });
});

describe('photographs with simulated angiograms', () => {
  test('keep ids, subjects, labels and further columns; the angiogram is called simulated', async () => {
    const source = path.join(root, 'photographs');
    await writeDatasetFolder(source, await phantom('phantom:fundus,pairs=3,seed=8', 64));
    const photographs = await openPhotographs({ path: source }, () => {});
    expect(photographs.modalities).toEqual(['a']);
    const out = path.join(root, 'pairs');
    await writeDatasetFolder(out, simulatedPairs(photographs, { size: 48, seed: 0 }));
    const pairs = await openDataset({ path: out });
    expect(pairs.simulated).toEqual(['b']);
    expect(pairs.positive).toBe('PM');
    expect(
      pairs.samples.map(({ id, subject, label, extra }) => [id, subject, label, extra!.condition]),
    ).toEqual(
      photographs.samples.map(({ id, subject, label, extra }) => [id, subject, label, extra!.condition]),
    );
    const [a, b] = await Promise.all(['a', 'b'].map((m) => readSampleImage(pairs, pairs.samples[0]!, m, 48)));
    expect([a!.width, a!.height, a!.channels, b!.width, b!.channels]).toEqual([48, 48, 3, 48, 1]);
  });

  test('take a folder of nothing but photographs, and refuse gray ones', async () => {
    const source = path.join(root, 'photographs');
    const folder = await openPhotographs({ path: path.join(source, 'a') }, () => {});
    expect(folder.samples.map(({ id }) => id)).toEqual(['fundus-0000', 'fundus-0001', 'fundus-0002']);
    const gray = await openPhotographs({ path: path.join(source, 'b') }, () => {});
    const written = writeDatasetFolder(path.join(root, 'gray'), simulatedPairs(gray, { size: 48, seed: 0 }));
    await expect(written).rejects.toThrow(/is gray, expected a colour fundus photograph/);
    await expect(openPhotographs({ path: path.join(source, 'masks') }, () => {})).rejects.toThrow(DataError);
  });
});

describe('dataset.json beside a manifest', () => {
  const folder = path.join(root, 'card');
  test('names only modalities that are opened, and is refused when it is not what it should be', async () => {
    await writeDatasetFolder(folder, await phantom('phantom:breast,pairs=2', 16));
    const oneSided = await openDataset({ path: folder, columns: { b: null } });
    expect([oneSided.simulated, oneSided.colourCoded]).toEqual([['a'], []]);
    const card = path.join(folder, 'dataset.json');
    writeFileSync(card, '{"name": "x", "simulated": "b"}');
    await expect(openDataset({ path: folder })).rejects.toThrow(/dataset\.json: simulated: /);
    writeFileSync(card, '{"name": "x", "modalities": ["a", "a+b"]}');
    await expect(openDataset({ path: folder })).rejects.toThrow(
      /dataset\.json: modalities: "a\+b" has "\+" in it/,
    );
    writeFileSync(card, '{"name": ');
    await expect(openDataset({ path: folder })).rejects.toThrow(/dataset\.json: is not JSON/);
  });

  test.each([
    ['{"name": "x", "positive": "benign", "positive": "malignant"}', 'names the key "positive" twice'],
    ['{"name": "x", "n\\u0061me": "y"}', 'names the key "name" twice'],
    ['{"name": "x", "__proto__": {"positive": "benign"}}', 'the key "__proto__" says nothing'],
    ['{"name": "x", "more": [{"constructor": 1}]}', 'the key "constructor" says nothing'],
    ['{"name": "x", "prototype": null}', 'the key "prototype" says nothing'],
  ])('is refused by the name of a key that is there twice or reaches a prototype: %s', async (card, told) => {
    writeFileSync(path.join(folder, 'dataset.json'), card);
    await expect(openDataset({ path: folder })).rejects.toThrow(told);
  });
});
