import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DataFault } from '../../src/data/faults.js';
import { type DatasetSpec, openDataset } from '../../src/data/openDataset.js';
import { DataError, UsageError } from '../../src/errors.js';
import { phantomVersion } from '../../src/phantoms/breast/breastPhantom.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dataset-'));
  for (const side of ['A', 'B']) {
    mkdirSync(join(folder, side));
    for (const name of ['1.png', '2.png']) writeFileSync(join(folder, side, name), '');
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

function writeManifest(name: string, labels = ['none', 'tumor']) {
  const rows = labels.map((label, i) => `${i + 1},p${i},A/${i + 1}.png,B/${i + 1}.png,${label}`);
  writeFileSync(join(folder, name), ['id,subject,a,b,label', ...rows].join('\n'));
  return join(folder, name);
}

describe('openDataset', () => {
  it('opens a manifest under its own name', async () => {
    const dataset = await openDataset({ path: writeManifest('core.csv') });
    expect(dataset).toMatchObject({ name: 'core', modalities: ['a', 'b'], positive: 'tumor' });
    expect(dataset.samples.map(({ id }) => id)).toEqual(['1', '2']);
  });

  it('opens a folder with manifest.csv under the name of the folder', async () => {
    writeManifest('manifest.csv');
    const { name, samples } = await openDataset({ path: folder });
    expect(name).toBe(folder.split('/').at(-1));
    expect(samples).toHaveLength(2);
  });

  it('opens two folders', async () => {
    const dataset = await openDataset({ path: join(folder, 'A'), pathB: `${folder}/B/` });
    expect(dataset).toMatchObject({ name: 'A+B', modalities: ['a', 'b'], positive: undefined });
    expect(dataset.samples.map(({ subject }) => subject)).toEqual(['1', '2']);
  });

  it('opens a phantom under a name without options', async () => {
    const dataset = await openDataset({ path: 'phantom:breast,pairs=12,seed=3' });
    expect(dataset.name).toBe('phantom:breast');
    expect(dataset.samples).toHaveLength(12);
    expect(dataset.positive).toBe('malignant');
    expect(dataset).toMatchObject({ simulated: ['a', 'b'], generatorVersion: phantomVersion });
    const one = await openDataset({ path: 'phantom:breast,pairs=1' });
    expect(one.samples).toHaveLength(1);
  });

  it('refuses unknown phantoms and options, naming the nearest', async () => {
    await expect(openDataset({ path: 'phantom:brest' })).rejects.toThrow('Did you mean "phantom:breast"?');
    await expect(openDataset({ path: 'phantom:toString' })).rejects.toThrow(UsageError);
    await expect(openDataset({ path: 'phantom:breast,pears=3' })).rejects.toThrow('Did you mean "pairs"?');
    await expect(openDataset({ path: 'phantom:breast,pairs=0' })).rejects.toThrow(UsageError);
  });

  it('takes the positive class asked for, and asks where it is open', async () => {
    const open = writeManifest('sides.csv', ['left', 'right']);
    await expect(openDataset({ path: open })).rejects.toThrow('Name it: --positive right');
    expect((await openDataset({ path: open, positive: 'left' })).positive).toBe('left');
    await expect(openDataset({ path: open, positive: 'up' })).rejects.toThrow(DataError);
  });

  it('says where a path stops being right', async () => {
    writeManifest('core.csv');
    await expect(openDataset({ path: join(folder, 'cora.csv') })).rejects.toThrow(
      `Did you mean ${join(folder, 'core.csv')}?`,
    );
    await expect(openDataset({ path: join(folder, 'zzzzzz', 'deep', 'core.csv') })).rejects.toThrow(
      `there is nothing named "zzzzzz" in ${folder}`,
    );
    await expect(openDataset({ path: join(folder, 'A'), pathB: join(folder, 'Q') })).rejects.toThrow(
      DataError,
    );
  });

  it('says what is missing or does not go together', async () => {
    await expect(openDataset({ path: join(folder, 'A', '1.png') })).rejects.toThrow(
      'neither a folder nor a manifest',
    );
    const path = writeManifest('core.csv');
    await expect(openDataset({ path, pathB: folder })).rejects.toThrow('--data names a manifest');
    await expect(openDataset({ path: 'phantom:breast', columns: { a: 'x' } })).rejects.toThrow(UsageError);
    await expect(
      openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B'), columns: { a: 'x' } }),
    ).rejects.toThrow('--column (a) goes with a manifest');
  });

  it('takes the classes asked for from the samples that the drop list leaves', async () => {
    const path = join(folder, 'four.csv');
    const row = (id: number, label: string) => `${id},p${id},A/1.png,B/1.png,${label}`;
    writeFileSync(
      path,
      ['id,subject,a,b,label', row(1, 'x'), row(2, 'y'), row(3, 'z'), row(4, 'x'), row(5, '')].join('\n'),
    );
    const drop = join(folder, 'drop.csv');
    writeFileSync(drop, 'id,reason\n4,twice\n9,gone\n');
    const warnings: string[] = [];
    const ids = async (spec: Partial<DatasetSpec>) => {
      const { samples } = await openDataset(
        { path, positive: 'x', ...spec },
        { onWarning: (w) => warnings.push(w) },
      );
      return samples.map(({ id }) => id).join('');
    };
    expect(await ids({ classes: ['z', 'x'] })).toBe('134');
    expect(warnings).toEqual([]);
    expect(await ids({ classes: ['x', 'z'], drop })).toBe('13');
    expect(await ids({ drop })).toBe('1235');
    expect(warnings).toEqual(Array(2).fill(expect.stringContaining('1 of its 2 samples is not in the data')));
    await expect(ids({ classes: ['w'] })).rejects.toThrow(
      '--classes names "w", but the classes are "x", "y", "z"',
    );
    await expect(openDataset({ path, classes: ['y', 'z'], positive: 'x' })).rejects.toThrow(
      '--positive is "x"',
    );
  });

  it('says where the data set itself joins classes', async () => {
    for (const side of ['A', 'B']) writeFileSync(join(folder, side, '3.png'), '');
    const path = writeManifest('manifest.csv', ['cyst', 'malignant', 'benign']);
    writeFileSync(join(folder, 'dataset.json'), '{ "name": "set", "positive": "malignant" }');
    const warnings = async (spec: Partial<DatasetSpec> = {}) => {
      const told: string[] = [];
      await openDataset({ path, ...spec }, { onWarning: (w) => told.push(w) });
      return told;
    };
    expect(await warnings()).toEqual([
      expect.stringContaining(
        'set: of 3 classes the data set itself, or dataset.json beside it, names "malignant" the positive one, so "benign", "cyst" together are the negative one.',
      ),
    ]);
    // Who asks for it knows.
    expect(await warnings({ positive: 'malignant' })).toEqual([]);
    expect(await warnings({ classes: ['benign', 'malignant'] })).toEqual([]);
  });

  /** Row 1 is sound, 2 and 3 have three faults between them, and 4 and 5 name images that are not there. */
  function writeFaultyManifest() {
    const path = join(folder, 'faulty.csv');
    const rows = [
      ...['1,p1,A/1.png,B/1.png,x,0', '2,,,n/a,x,0', '3,p3,A/1.png,B/1.png,x,z'],
      ...['4,p4,A/no.png,B/no.png,x,0', '5,p5,A/5.png,B/1.png,x,0'],
    ];
    writeFileSync(path, ['id,subject,a,b,label,fold', ...rows].join('\n'));
    return path;
  }

  function writeDrops(...ids: readonly string[]) {
    const drop = join(folder, 'drop.csv');
    writeFileSync(drop, ['id,reason', ...ids.map((id) => `${id},gone`)].join('\n'));
    return drop;
  }

  it('ends in one error for all faults of the first kind that is found', async () => {
    const path = writeFaultyManifest();
    const rows = [
      `  ${path}:3: "2" has no subject (column "subject" is empty)`,
      `  ${path}:3: "2" has no image (column "a" is empty, column "b" says "n/a")`,
      `  ${path}:4: "3" has fold "z", expected a whole number from 0`,
    ];
    await expect(openDataset({ path })).rejects.toThrow(
      new DataError(
        `The manifest has 3 faults:\n${rows.join('\n')}\nCorrect these lines, or leave them out.`,
      ),
    );
  });

  it('lists ten faults in its error and counts the others', async () => {
    for (let i = 10; i < 25; i += 1) writeFileSync(join(folder, 'A', `${i}.png`), '');
    const error = await openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B') }).catch((e) => e);
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain('15 images have no mate of the same name:\n');
    expect(error.message).toContain(`${join(folder, 'A', '19.png')}: no mate in ${join(folder, 'B')}\n`);
    expect(error.message).not.toContain('20.png');
    expect(error.message).toContain('\n  … and 5 more\n');
  });

  it('counts no fault of samples that the drop list names in its error', async () => {
    const path = writeFaultyManifest();
    await expect(openDataset({ path, drop: writeDrops('2') })).rejects.toThrow('The manifest has 1 fault:\n');
    // Of the first kind no fault is left, so the error is about the second one.
    await expect(openDataset({ path, drop: writeDrops('2', '3', '4') })).rejects.toThrow(
      `1 of the images named in ${path} is missing:\n  ${path}:6: "5": no file ${join(folder, 'A', '5.png')} (a)\n`,
    );
    const { samples } = await openDataset({ path, drop: writeDrops('2', '3', '4', '5'), positive: 'x' });
    expect(samples.map(({ id }) => id)).toEqual(['1']);
  });

  it('tells of each faulty sample that the drop list does not name and goes on without them, where somebody listens', async () => {
    const path = writeFaultyManifest();
    const open = async (spec: Partial<DatasetSpec>) => {
      const faults: DataFault[] = [];
      const warnings: string[] = [];
      const { samples } = await openDataset(
        { path, positive: 'x', ...spec },
        { onFault: (fault) => faults.push(fault), onWarning: (warning) => warnings.push(warning) },
      );
      return { ids: samples.map(({ id }) => id), faults, warnings };
    };
    const all = await open({});
    expect(all.ids).toEqual(['1']);
    expect(all.faults).toEqual([
      {
        kind: 'bad-row',
        id: '2',
        message: `${path}:3: "2" has no subject (column "subject" is empty); ${path}:3: "2" has no image (column "a" is empty, column "b" says "n/a")`,
      },
      {
        kind: 'bad-row',
        id: '3',
        message: `${path}:4: "3" has fold "z", expected a whole number from 0`,
      },
      {
        kind: 'missing-file',
        id: '4',
        message: ['a', 'b']
          .map((m) => `${path}:5: "4": no file ${join(folder, m.toUpperCase(), 'no.png')} (${m})`)
          .join('; '),
      },
      expect.objectContaining({ kind: 'missing-file', id: '5' }),
    ]);
    const some = await open({ drop: writeDrops('2', '4') });
    expect(some).toEqual({ ids: ['1'], faults: [all.faults[1], all.faults[3]], warnings: [] });
  });

  it('asks nothing of samples that are left out anyway', async () => {
    const path = writeManifest('core.csv');
    const drop = writeDrops('2', '3');
    rmSync(join(folder, 'B', '2.png'));
    writeFileSync(join(folder, 'A', '3.png'), '');
    const warnings: string[] = [];
    const spec = { path: join(folder, 'A'), pathB: join(folder, 'B') };
    await expect(openDataset(spec)).rejects.toThrow('2 images have no mate');
    const { samples } = await openDataset({ ...spec, drop }, { onWarning: (w) => warnings.push(w) });
    expect(samples.map(({ id }) => id)).toEqual(['1']);
    expect(warnings).toEqual([]);
    await expect(openDataset({ path })).rejects.toThrow('1 of the images');
    expect((await openDataset({ path, drop })).samples).toHaveLength(1);
  });

  it('says when two modalities are not cropped alike', async () => {
    const path = 'phantom:breast,pairs=2';
    const box = { crop: { kind: 'box', left: 0, top: 0, width: 8, height: 8 } } as const;
    const warningsOf = async (preprocess: DatasetSpec['preprocess']) => {
      const warnings: string[] = [];
      await openDataset({ path, preprocess }, { onWarning: (warning) => warnings.push(warning) });
      return warnings;
    };
    expect(await warningsOf({ a: box })).toEqual([expect.stringContaining('crops a and b differently')]);
    expect(await warningsOf({ a: box, b: { ...box, intensity: { kind: 'minmax' } } })).toEqual([]);
    expect(await warningsOf({ a: { crop: null }, b: {} })).toEqual([]);
  });

  it('hands on the preprocessing of modalities that the data has', async () => {
    const path = writeManifest('core.csv');
    const preprocess = { b: { crop: { kind: 'colour-box', of: 'b', margin: 2 } } } as const;
    expect((await openDataset({ path, preprocess })).preprocess).toEqual(preprocess);
    expect(await openDataset({ path, preprocess: {} })).not.toHaveProperty('preprocess');
    const odd = { b: { crop: { kind: 'colour-box', of: 'c', margin: 2 } }, swe: {} } as const;
    await expect(openDataset({ path, preprocess: { b: odd.b } })).rejects.toThrow(
      'data.preprocess.b.crop.of: the data has no modality "c", expected one of a, b',
    );
    await expect(openDataset({ path, preprocess: odd })).rejects.toThrow(UsageError);
  });

  it('has a default preprocessing for modalities of its names whose images are files', async () => {
    const path = writeManifest('default.csv');
    const box = { crop: { kind: 'box', left: 0, top: 0, width: 8, height: 8 } } as const;
    const colour = { crop: { kind: 'colour-box', of: 'c', margin: 2 } } as const;
    const warnings: string[] = [];
    const opened = (spec: Partial<DatasetSpec>) =>
      openDataset({ path, ...spec }, { onWarning: (warning) => warnings.push(warning) });
    const of = async (spec: Partial<DatasetSpec>) => (await opened(spec)).preprocess;
    expect(await of({ defaultPreprocess: { a: box, swe: box } })).toEqual({ a: box });
    expect(await of({ defaultPreprocess: { a: box }, preprocess: { a: {} } })).toEqual({ a: {} });
    expect(await of({ defaultPreprocess: { a: box }, preprocess: { b: box } })).toEqual({ a: box, b: box });
    // There is no modality c in which the coloured box could be found.
    expect(await of({ defaultPreprocess: { a: colour } })).toBeUndefined();
    expect(await of({ path: 'phantom:breast,pairs=2', defaultPreprocess: { a: box } })).toBeUndefined();
    // That a and b are cropped differently was the run's business.
    expect(warnings.filter((warning) => warning.includes('crops'))).toEqual([]);
  });

  it('refuses a folder beside a volume', async () => {
    writeFileSync(join(folder, 'v.nii'), '');
    await expect(openDataset({ path: join(folder, 'v.nii'), pathB: join(folder, 'B') })).rejects.toThrow(
      `${join(folder, 'B')}: is a folder, but --data names a file`,
    );
  });

  it('passes warnings on', async () => {
    const path = join(folder, 'plain.csv');
    writeFileSync(path, 'id,a,b\n1,A/1.png,B/1.png\n2,A/2.png,B/2.png\n');
    const warnings: string[] = [];
    await openDataset({ path }, { onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual([expect.stringContaining(`${path}: no column "subject"`)]);
  });
});
