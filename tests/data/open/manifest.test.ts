import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readManifest } from '../../../src/data/open/manifest.js';
import type { ManifestColumns } from '../../../src/data/open/manifestColumns.js';
import { UsageError } from '../../../src/errors.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manifest-'));
  file = join(folder, 'm.csv');
  mkdirSync(join(folder, 'img'));
  for (const name of ['1a', '1b', '2a', '2b']) writeFileSync(join(folder, 'img', `${name}.png`), '');
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (text: string, columns?: ManifestColumns, modalities?: readonly string[]) => {
  writeFileSync(file, text);
  return readManifest(file, { columns, modalities });
};
const HEADER = 'id,subject,a,b,label,fold';
const ROW1 = '1,p1,img/1a.png,img/1b.png,tumor,0';
const ROW2 = '2,p2,img/2a.png,img/2b.png,none,1';

describe('readManifest', () => {
  it('reads samples with paths relative to the manifest, and keeps further columns', async () => {
    const text = `\uFEFF${HEADER},age,site\r\n${ROW1},61,"Basel, CH"\r\n\r\n${ROW2},,\r\n`;
    const { modalities, samples } = await read(text);
    expect(modalities).toEqual(['a', 'b']);
    expect(samples).toEqual([
      {
        id: '1',
        subject: 'p1',
        images: {
          a: { kind: 'file', path: join(folder, 'img/1a.png') },
          b: { kind: 'file', path: join(folder, 'img/1b.png') },
        },
        label: 'tumor',
        fold: 0,
        extra: { age: '61', site: 'Basel, CH' },
        origin: `${file}:2`,
      },
      expect.objectContaining({ id: '2', fold: 1, extra: { age: '', site: '' }, origin: `${file}:4` }),
    ]);
  });

  it.each([
    ['semicolons, as European spreadsheets save it', ';'],
    ['tabs', '\t'],
  ])('reads samples between %s, and leaves decimal commas as they are', async (_, delimiter) => {
    const row = (line: string, ...further: string[]) => [...line.split(','), ...further].join(delimiter);
    const text = [row(HEADER, 'size', 'site'), row(ROW1, '12,5', 'Basel, CH'), row(ROW2, '9,75', '')].join(
      '\r\n',
    );
    const { modalities, samples } = await read(text);
    const plain = await read(`${HEADER},size,site\n${ROW1},"12,5","Basel, CH"\n${ROW2},"9,75",\n`);
    expect(modalities).toEqual(['a', 'b']);
    expect(samples).toEqual(plain.samples);
    expect(samples.map(({ extra }) => extra)).toEqual([
      { size: '12,5', site: 'Basel, CH' },
      { size: '9,75', site: '' },
    ]);
  });

  it('takes absolute paths, and cells without a label', async () => {
    const { samples } = await read(`id,subject,a,b,label\n1,p,${folder}/img/1a.png,img/1b.png,\n`);
    expect(samples[0]!.images.a).toEqual({ kind: 'file', path: join(folder, 'img/1a.png') });
    expect(samples[0]).not.toHaveProperty('label');
    expect(samples[0]).not.toHaveProperty('fold');
    expect(samples[0]).not.toHaveProperty('extra');
  });

  it('maps other column names, adds modalities, and takes a modality away with null', async () => {
    const text = 'scan,who,flair,t1,t2\n1,p,img/1a.png,img/1b.png,img/2a.png\n';
    const names = { id: 'scan', subject: 'who', a: 'flair' };
    const three = await read(text, { ...names, b: 't1', t2: 't2' });
    expect(three.modalities).toEqual(['a', 'b', 't2']);
    expect(three.samples[0]!.images.t2).toEqual({ kind: 'file', path: join(folder, 'img/2a.png') });
    const one = await read(text, { ...names, b: null });
    expect(one.modalities).toEqual(['a']);
    expect(one.samples[0]!.extra).toEqual({ t1: 'img/1b.png', t2: 'img/2a.png' });
    await expect(read(text, { ...names, b: 'flair' })).rejects.toThrow('both name the column "flair"');
    await expect(read(text, { ...names, a: null, b: null })).rejects.toThrow(UsageError);
    await expect(read(text, { id: null })).rejects.toThrow('--column id=null');
  });

  it('makes every id its own subject where there is no subject column, and says so', async () => {
    const { samples, namesSubjects } = await read('id,a,b\n1,img/1a.png,img/1b.png\n');
    expect(samples[0]!.subject).toBe('1');
    expect(namesSubjects).toBe(false);
    expect((await read(`${HEADER}\n${ROW1}\n`)).namesSubjects).toBe(true);
  });

  it('does not overlook a subject, label or fold column under a similar name', async () => {
    const row = '1,p1,img/1a.png,img/1b.png';
    for (const name of ['patient', 'Patient_ID', 'Subject', 'subject_id']) {
      await expect(read(`id,${name},a,b\n${row}\n`)).rejects.toThrow(
        `${file}:1: no column "subject", but "${name}" looks like it. Say --column subject=${name}`,
      );
      expect((await read(`id,${name},a,b\n${row}\n`, { subject: null })).samples[0]!.subject).toBe('1');
    }
    await expect(read(`id,subject,a,b,Label\n${row},x\n`)).rejects.toThrow('--column label=Label');
  });

  it('names the nearest column for one that is absent', async () => {
    await expect(read('id,subject,a,B\n1,p,x,y\n')).rejects.toThrow(
      `${file}:1: no column "b"; the columns are "id", "subject", "a", "B". Did you mean "B"? Say --column b=B`,
    );
    await expect(read(`${HEADER}\n${ROW1}\n`, { a: 'flair' })).rejects.toThrow(
      'no column "flair" (--column a=flair)',
    );
    await expect(read('id,a,a,b\n1,x,y,z\n')).rejects.toThrow(`${file}:1: the column "a" occurs twice`);
  });

  it('lists every faulty line at once', async () => {
    const text = [HEADER, ROW1, ROW1, '2,,NA,,none,-1', ',p,img/2a.png,img/2b.png,none,x', ''].join('\n');
    const { samples, faults } = await read(text);
    expect(samples.map(({ id }) => id)).toEqual(['1']);
    expect(faults[0]!.headline(6)).toBe('The manifest has 6 faults');
    expect(faults[0]!.headline(1)).toBe('The manifest has 1 fault');
    expect(faults[0]!.faulty).toEqual([
      { kind: 'bad-row', id: '1', problems: [`${file}:3: the id "1" already stands in line 2`] },
      {
        kind: 'bad-row',
        id: '2',
        problems: [
          `${file}:4: "2" has no subject (column "subject" is empty)`,
          `${file}:4: "2" has no image (column "a" says "NA", column "b" is empty)`,
          `${file}:4: "2" has fold "-1", expected a whole number from 0`,
        ],
      },
      {
        kind: 'bad-row',
        id: '',
        problems: [
          `${file}:5: the id (column "id") is empty`,
          `${file}:5: "" has fold "x", expected a whole number from 0`,
        ],
      },
    ]);
  });

  describe('with modalities by name', () => {
    const THREE = 'id,subject,t1,flair,t1c,mask,label';
    const row = (id: number, ...cells: readonly string[]) => `${id},p${id},${cells.join(',')},img/1a.png,x`;

    it('takes exactly these columns, in this order', async () => {
      const text = `${THREE}\n${row(1, 'img/1a.png', 'img/1b.png', 'img/2a.png')}\n`;
      const { modalities, samples } = await read(text, {}, ['flair', 't1']);
      expect(modalities).toEqual(['flair', 't1']);
      expect(Object.keys(samples[0]!.images)).toEqual(['flair', 't1']);
      expect(samples[0]!.extra).toEqual({ t1c: 'img/2a.png', mask: 'img/1a.png' });
      const mapped = await read(text, { contrast: 't1c' }, ['contrast', 'flair']);
      expect(Object.keys(mapped.samples[0]!.images)).toEqual(['contrast', 'flair']);
    });

    it('leaves out the images of empty cells and words for none', async () => {
      const rows = [row(1, 'img/1a.png', '', 'NA'), row(2, 'n/a', 'img/2a.png', 'img/2b.png')];
      const { samples, faults } = await read([THREE, ...rows].join('\n'), {}, ['flair', 't1', 't1c']);
      expect(samples.map(({ images }) => Object.keys(images))).toEqual([['t1'], ['flair', 't1c']]);
      expect(faults.flatMap(({ faulty }) => faulty)).toEqual([]);
    });

    it('leaves out rows whose images are all in columns that are not asked for, and tells how many', async () => {
      const rows = [row(1, '', 'img/1b.png', ''), row(2, 'img/2a.png', '', ''), row(3, '', '', '')];
      const { samples, faults, warnings } = await read([THREE, ...rows].join('\n'), {}, ['flair']);
      expect(samples.map(({ id }) => id)).toEqual(['1']);
      expect(warnings).toEqual([
        `${file}: 1 of 3 rows is left out, as it has images in other columns but none of flair.`,
      ]);
      // A row with a mask alone has no image.
      expect(faults[0]!.faulty).toEqual([
        { kind: 'bad-row', id: '3', problems: [`${file}:4: "3" has no image (column "flair" is empty)`] },
      ]);
    });

    it('still looks for the files of the cells that are not empty', async () => {
      const { faults } = await read(`${THREE}\n${row(1, '', 'img/gone.png', '')}\n`, {}, ['flair', 't1']);
      expect(faults[1]!.faulty).toEqual([expect.objectContaining({ kind: 'missing-file', id: '1' })]);
    });

    it('lists the columns of images, with the flag to type, where there is neither a nor b', async () => {
      const rows = [row(1, '', 'img/1b.png', 'img/2a.png'), row(2, 'img/1a.png', 'img/1b.png', '')];
      await expect(read([THREE, ...rows].join('\n'))).rejects.toThrow(
        `${file}:1: no columns "a" and "b"; columns that hold paths of images are "t1", "flair", "t1c". ` +
          'Name the modalities: --modalities t1 flair t1c. Left out here: "mask".',
      );
      await expect(read([THREE, ...rows].join('\n'), { t1: 't1' })).rejects.toThrow(
        '--modalities t1 flair t1c',
      );
      await expect(read('id,subject,age\n1,p,61\n')).rejects.toThrow('no column "a"');
    });

    it('names the nearest column for a slip, and refuses columns that contradict', async () => {
      const text = `${THREE}\n${row(1, 'img/1a.png', 'img/1b.png', '')}\n`;
      await expect(read(text, {}, ['flare'])).rejects.toThrow(
        '--modalities names "flare", but the columns are "id", "subject", "t1", "flair", "t1c", "mask", "label". Did you mean "flair"?',
      );
      await expect(read(text, { t1c: 't1c' }, ['flair'])).rejects.toThrow(
        '--column t1c=t1c names a modality that --modalities leaves out',
      );
      await expect(read(text, { flair: null }, ['flair'])).rejects.toThrow('says that there is none');
      expect((await read(text, { a: null, b: null }, ['flair'])).modalities).toEqual(['flair']);
      await expect(read(text, { t1: 'flair' }, ['flair', 't1'])).rejects.toThrow(
        'both name the column "flair"',
      );
    });
  });

  it('finds the rows whose images are missing, among those without another fault', async () => {
    const rows = [
      ...['1,p,img/1a.png,img/1b.png', '1,p,img/none.png,img/none.png', '2,p,img/none.png,img/none.png'],
      '3,p,img/1a.png,img',
    ];
    const { samples, faults } = await read(['id,subject,a,b', ...rows].join('\n'));
    expect(samples.map(({ id }) => id)).toEqual(['1']);
    expect(faults[0]!.faulty).toHaveLength(1);
    const { headline, fix, faulty } = faults[1]!;
    expect(headline(2)).toBe(`2 of the images named in ${file} are missing`);
    expect(headline(1)).toBe(`1 of the images named in ${file} is missing`);
    expect(fix).toContain(`Paths are relative to ${folder}.`);
    const none = join(folder, 'img/none.png');
    expect(faulty).toEqual([
      {
        kind: 'missing-file',
        id: '2',
        problems: [`${file}:4: "2": no file ${none} (a)`, `${file}:4: "2": no file ${none} (b)`],
      },
      {
        kind: 'missing-file',
        id: '3',
        problems: [`${file}:5: "3": not a file: ${join(folder, 'img')} (b)`],
      },
    ]);
  });

  it('refuses ragged, broken, empty and absent files, with the line', async () => {
    await expect(read(`${HEADER}\n${ROW1}\n2,p2,img/2a.png\n`)).rejects.toThrow(
      `${file}:3: is not valid CSV`,
    );
    await expect(read(`${HEADER}\n${ROW1}\n"2,p2\n`)).rejects.toThrow(/m\.csv:\d+: is not valid CSV/);
    await expect(read(`${HEADER}\n`)).rejects.toThrow('has a header but no samples');
    await expect(read('')).rejects.toThrow('is empty');
    await expect(readManifest(join(folder, 'none.csv'))).rejects.toThrow('no such file');
  });
});
