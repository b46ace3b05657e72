import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageSizeBound, readSampleImage } from '../../../src/data/images/readSampleImage.js';
import type { Preprocessing } from '../../../src/data/preprocessing.js';
import type { ImageSource } from '../../../src/data/sample.js';
import { drawScreen, overlap } from '../formats/drawnScreen.js';
import { bmp, GRAY, png, RGB } from '../handmadeImages.js';

const golden = fileURLToPath(new URL('../../golden/', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sample-images-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function read(a: ImageSource, preprocess?: Record<string, Preprocessing>, b: ImageSource = a) {
  return readSampleImage({ preprocess }, { id: 'one', subject: 'one', images: { a, b } }, 'a', 64);
}

function bound(a: ImageSource, preprocess?: Record<string, Preprocessing>) {
  return imageSizeBound({ preprocess }, { id: 'one', subject: 'one', images: { a } }, 'a');
}

describe('readSampleImage', () => {
  it('draws generated images at the size asked for', async () => {
    const render = (size: number) =>
      ({ width: size, height: size, channels: 1, data: new Uint8Array(size * size).fill(size) }) as const;
    expect(await read({ kind: 'generated', key: 'k', render })).toEqual(render(64));
  });

  it('takes exact halves of a composite', async () => {
    const path = write(
      'pair.png',
      png(4, 8, GRAY, [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ]),
    );
    const half = (side: 'left' | 'right') => ({ kind: 'file', path, part: { kind: 'half', side } }) as const;
    expect([...(await read(half('left'))).data]).toEqual([1, 2, 5, 6]);
    expect(await read(half('right'))).toMatchObject({ width: 2, height: 2, data: Uint8Array.of(3, 4, 7, 8) });
    expect(await bound(half('left'))).toEqual({ width: 2, height: 2 });
    const odd = write('odd.png', png(3, 8, GRAY, [[1, 2, 3]]));
    await expect(read({ kind: 'file', path: odd, part: { kind: 'half', side: 'left' } })).rejects.toThrow(
      'odd.png: is 3 pixels wide, so it has no two equal halves',
    );
  });

  it('reads members of a tar archive, of any format', async () => {
    const members: [string, Buffer][] = [
      ['a.png', png(2, 8, RGB, [[1, 2, 3, 4, 5, 6]])],
      ['b.bmp', bmp({ width: 1, height: 1, bits: 24 }, [9, 8, 7, 0])],
    ];
    const archive = pack();
    for (const [name, bytes] of members) archive.entry({ name }, bytes);
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const path = write('shard.tar', bytes);
    const member = ([name, content]: [string, Buffer]) =>
      ({ kind: 'member', path, name, offset: bytes.indexOf(content), length: content.length }) as const;
    expect([...(await read(member(members[0]!))).data]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await bound(member(members[0]!))).toEqual({ width: 2, height: 1 });
    expect([...(await read(member(members[1]!))).data]).toEqual([7, 8, 9]);
    expect(await bound(member(members[1]!))).toEqual({ width: 1, height: 1 });
    await expect(read({ ...member(members[0]!), offset: bytes.length - 9 })).rejects.toThrow(
      'shard.tar: a.png: the archive ends',
    );
  });

  it('reads planar pixels of a pack, one channel or three', async () => {
    const path = write('data.pack', Buffer.from([99, 1, 2, 3, 4, 10, 20, 30, 40, 5, 6, 7, 8]));
    const packed = { kind: 'packed', path, offset: 1, side: 2 } as const;
    expect([...(await read({ ...packed, channels: 1 })).data]).toEqual([1, 2, 3, 4]);
    expect([...(await read({ ...packed, channels: 3 })).data]).toEqual([
      1, 10, 5, 2, 20, 6, 3, 30, 7, 4, 40, 8,
    ]);
    expect(await bound({ ...packed, channels: 3 })).toEqual({ width: 2, height: 2 });
    await expect(read({ ...packed, offset: 10, channels: 1 })).rejects.toThrow(
      'the pack ends within an image',
    );
  });

  it('reads frames of DICOM and slices of NIfTI as asked by modality', async () => {
    const frame = (index: number) =>
      ({ kind: 'file', path: join(golden, 'dicom/frames-rle.dcm'), part: { kind: 'frame', index } }) as const;
    expect((await read(frame(1))).data).not.toEqual((await read(frame(2))).data);
    const part = { kind: 'slice', axis: 2, index: 1 } as const;
    const volume = { kind: 'file', path: join(golden, 'nifti/scaled.nii'), part } as const;
    await expect(read(volume)).rejects.toThrow('--set data.preprocess.a.intensity=');
    expect(await read(volume, { a: { intensity: { kind: 'minmax' } } })).toMatchObject({
      width: 5,
      height: 4,
    });
  });

  it('cuts both modalities at the coloured box of one', async () => {
    const screen = drawScreen(0, true);
    const [a, b] = [screen.a, screen.b].map(
      (image, i) => ({ kind: 'generated', key: `${i}`, render: () => image }) as const,
    );
    const crop = { kind: 'colour-box', of: 'b', margin: 3 } as const;
    const sample = { id: 'one', subject: 'one', images: { a: a!, b: b! } };
    const dataset = { preprocess: { a: { crop }, b: { crop } } };
    const [bmode, elastogram] = [
      await readSampleImage(dataset, sample, 'a', 64),
      await readSampleImage(dataset, sample, 'b', 64),
    ];
    const size = { width: screen.truth.width + 6, height: screen.truth.height + 6 };
    expect(overlap({ left: 0, top: 0, ...size }, { left: 0, top: 0, ...bmode })).toBeGreaterThan(0.97);
    expect([bmode.width, bmode.height]).toEqual([elastogram.width, elastogram.height]);
    expect([bmode.channels, elastogram.channels]).toEqual([1, 3]);
    const elsewhere = { ...sample, images: { a: a! } };
    await expect(readSampleImage(dataset, elsewhere, 'a', 64)).rejects.toThrow(
      '"one" has no modality "b", in which the crop looks for the coloured box; it has a.',
    );
  });
});

describe('a machine without sharp', () => {
  it('reads and caches phantoms, packs, DICOM, NIfTI and BMP', async () => {
    const dist = new URL('../../../dist/data/', import.meta.url);
    const path = write('one.bmp', bmp({ width: 1, height: 1, bits: 24 }, [9, 8, 7, 0]));
    // A loader that knows no sharp.
    const hook = `export async function resolve(name, context, next) {
      if (name === 'sharp') throw new Error('no sharp here');
      return next(name, context);
    }`;
    const script = `
      import { register } from 'node:module';
      register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}));
      const { cacheKey } = await import('${new URL('cache/cacheKey.js', dist)}');
      const { openDataset } = await import('${new URL('openDataset.js', dist)}');
      await import('${new URL('loading/imageCache.js', dist)}');
      const { readSampleImage } = await import('${new URL('images/readSampleImage.js', dist)}');
      const read = (a) => readSampleImage({}, { id: 'x', subject: 'x', images: { a } }, 'a', 16);
      const file = (path) => read({ kind: 'file', path });
      const phantom = await openDataset({ path: 'phantom:breast,pairs=4' });
      const key = await cacheKey(phantom, 32);
      const dicom = await file(${JSON.stringify(join(golden, 'dicom/jpeg-ls-rgb.dcm'))});
      const bitmap = await file(${JSON.stringify(path)});
      const needed = await file(${JSON.stringify(write('one.png', png(1, 8, GRAY, [[1]])))}).catch((e) => e.message);
      console.log(JSON.stringify({ key: key.length, dicom: dicom.width, bitmap: [...bitmap.data], needed }));
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
    expect(JSON.parse(stdout)).toEqual({
      key: 32,
      dicom: 18,
      bitmap: [7, 8, 9],
      needed: expect.stringMatching(
        /^PNG, JPEG, TIFF and WebP are read by the package sharp, which cannot be loaded here/,
      ),
    });
  });
});
