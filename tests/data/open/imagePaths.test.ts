import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readManifest } from '../../../src/data/open/manifest.js';
import { openDataset } from '../../../src/data/openDataset.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paths-'));
  mkdirSync(join(folder, 'set', 'Bilder'), { recursive: true });
  mkdirSync(join(folder, 'images'));
  for (const name of ['1.png', 'Mu\u0308ller.png', 'x.png', 'X.png', 'scan 7.png', 'isic_0024306.jpg'])
    writeFileSync(join(folder, 'set', 'Bilder', name), '');
  writeFileSync(join(folder, 'images', 'far.png'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

async function open(...paths: readonly (string | Buffer)[]) {
  const file = join(folder, 'set', 'm.csv');
  const rows = paths.map((path, i) =>
    Buffer.concat([Buffer.from(`${i},`), Buffer.from(path), Buffer.from('\n')]),
  );
  writeFileSync(file, Buffer.concat([Buffer.from('id,a\n'), ...rows]));
  const warnings: string[] = [];
  const columns = { b: null, subject: null };
  const { samples } = await openDataset(
    { path: file, columns },
    { onWarning: (text) => warnings.push(text) },
  );
  const files = samples.map(({ images }) => (images.a as { path: string }).path.slice(folder.length + 1));
  return { files, warnings: warnings.filter((text) => !text.includes('no column "subject"')) };
}

describe('paths in a manifest', () => {
  test.each([
    ['with backslashes', 'Bilder\\1.png', '1.png'],
    ['that begin with .\\', '.\\Bilder\\1.png', '1.png'],
    ['whose ending is in other case', 'Bilder/1.PNG', '1.png'],
    ['whose folder is in other case', 'bilder/1.png', '1.png'],
    ['in the composed form of Unicode', 'Bilder/M\u00FCller.png', 'Mu\u0308ller.png'],
    ['with a space that does not break', 'Bilder/scan\u00A07.png', 'scan 7.png'],
    ['with spaces at the end of a folder', 'Bilder /1.png', '1.png'],
  ])('%s are found, and one warning tells of them', async (_, written, name) => {
    const { files, warnings } = await open('Bilder/1.png', written, written);
    expect(files).toEqual([1, 2, 3].map((n) => `set/Bilder/${n === 1 ? '1.png' : name}`));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('2 of 3 image paths are not written as the files are named');
    expect(warnings[0]).toContain(
      `such as ${JSON.stringify(written)} for ${join(folder, 'set/Bilder', name)}`,
    );
  });

  test('in Latin-1 are found', async () => {
    const { files, warnings } = await open(Buffer.from('Bilder/M\u00FCller.png', 'latin1'));
    expect(files).toEqual(['set/Bilder/Mu\u0308ller.png']);
    expect(warnings[0]).toContain('Windows-1252');
  });

  test('that are written as the files are named are taken without a word', async () => {
    expect((await open('Bilder/x.png', './Bilder/X.png', 'Bilder//1.png')).warnings).toEqual([]);
  });

  test('that may mean two files are refused with both', async () => {
    await expect(open('bilder\\X.PNG')).rejects.toThrow(
      /no file .*; it may be ".*\/x\.png" or ".*\/X\.png"|it may be ".*\/X\.png" or ".*\/x\.png"/,
    );
  });

  test('of files that are not there are refused with the nearest', async () => {
    await expect(open('Bilder/isic_0024306')).rejects.toThrow(
      `no file ${join(folder, 'set/Bilder/isic_0024306')}; the nearest is ${join(folder, 'set/Bilder/isic_0024306.jpg')} (a)`,
    );
    await expect(open('Bilder/isic_0024307.jpg')).rejects.toThrow('the nearest is');
    await expect(open('Bildr/1.png')).rejects.toThrow(`the nearest is ${join(folder, 'set/Bilder')} (a)`);
    await expect(open('Bilder')).rejects.toThrow('not a file');
  });

  test('of another machine are refused as such', async () => {
    await expect(open('C:\\Users\\me\\1.png')).rejects.toThrow('a place on a Windows machine');
    await expect(open('\\\\server\\share\\1.png')).rejects.toThrow('a place on a Windows machine');
  });

  test('that lead out of the folder are read, and told', async () => {
    const absolute = join(folder, 'set/Bilder/1.png');
    const { files, warnings } = await open('Bilder/1.png', '../images/far.png', absolute);
    expect(files[1]).toBe('images/far.png');
    expect(warnings).toEqual([
      expect.stringContaining(
        '2 of 3 image paths lead out of its folder (absolute, or by ..), such as "../images/far.png"',
      ),
    ]);
  });

  test('of images that all lie elsewhere are refused with the place', async () => {
    await expect(open('far.png')).rejects.toThrow(
      `They are found from ${join(folder, 'images')}: say --image-root ${join(folder, 'images')}.`,
    );
  });

  test('are found behind a link to a folder, and a check that goes on without them is told too', async () => {
    const apart = mkdtempSync(join(tmpdir(), 'anatomy-linked-'));
    mkdirSync(join(apart, 'lists'));
    symlinkSync(join(folder, 'images'), join(apart, 'archive'));
    const file = join(apart, 'lists', 'scans.csv');
    writeFileSync(file, 'id,subject,a,b\nx,p,far.png,far.png\n');
    const { warnings } = await readManifest(file);
    expect(warnings!.at(-1)).toBe(
      `No image of ${file} is found from ${join(apart, 'lists')}. They are found from ${join(apart, 'archive')}: ` +
        `say --image-root ${join(apart, 'archive')}.`,
    );
    rmSync(apart, { recursive: true });
  });

  test('begin at --image-root where it is given, also in what is told of them', async () => {
    const path = join(folder, 'set', 'rooted.csv');
    const columns = { b: null };
    const imageRoot = join(folder, 'set', 'Bilder');
    writeFileSync(path, 'id,subject,a\n1,p,1.PNG\n2,p,../../images/far.png\n');
    const warnings: string[] = [];
    const { samples } = await openDataset(
      { path, columns, imageRoot },
      { onWarning: (text) => warnings.push(text) },
    );
    expect(samples.map(({ images }) => (images.a as { path: string }).path)).toEqual([
      ...[join(imageRoot, '1.png'), join(folder, 'images', 'far.png')],
    ]);
    expect(warnings.join()).toContain(`1 of 2 image paths lead out of --image-root ${imageRoot}`);
    writeFileSync(path, 'id,subject,a\n1,p,none.png\n');
    await expect(openDataset({ path, columns, imageRoot })).rejects.toThrow(
      `Paths are relative to ${imageRoot}.`,
    );
    await expect(openDataset({ path, columns, imageRoot: join(folder, 'nowhere') })).rejects.toThrow(
      `--image-root ${join(folder, 'nowhere')}: no such folder.`,
    );
  });
});
