import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditDataset } from '../../../src/data/audit/audit.js';
import { readPixels } from '../../../src/data/formats/index.js';
import { openDataset } from '../../../src/data/openDataset.js';
import { listTar } from '../../../src/data/shards/tar.js';
import { sourceDigests } from '../../../src/data/sourceDigest.js';
import { DataError, SettingNeeded } from '../../../src/errors.js';
import { bmp, GRAY, png, tiff } from '../handmadeImages.js';
import { dicom, nifti } from '../handmadeVolumes.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'limits-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: Buffer) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { kind: 'file', path } as const;
}

/** A DICOM file whose data set after the meta header is deflated. */
function deflated(whole: Buffer): Buffer {
  const plain = Buffer.from('1.2.840.10008.1.2.1\0');
  const name = Buffer.from('1.2.840.10008.1.2.1.99');
  const at = whole.indexOf(plain);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(name.length, 0);
  const meta = Buffer.concat([whole.subarray(0, at - 2), length, name]);
  meta.writeUInt32LE(meta.length - 144, 140);
  return Buffer.concat([meta, deflateRawSync(whole.subarray(at + plain.length))]);
}

/** The head of a PNG that says a size and holds next to nothing. */
function hugePng(side: number): Buffer {
  const tiny = png(1, 8, GRAY, [[0]]);
  const crcOf = (bytes: Buffer) => png(1, 8, GRAY, [[0]], [['IHDR', [...bytes]]]);
  const header = Buffer.from(tiny.subarray(16, 29));
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  // The builder makes the chunk with its sum; it is taken from where further chunks stand.
  const chunk = crcOf(header).subarray(33, 33 + 25);
  return Buffer.concat([tiny.subarray(0, 8), chunk, tiny.subarray(33)]);
}

describe('an image larger than data.maxBytes', () => {
  it.each([
    ['gray.png', () => png(10, 8, GRAY, Array(10).fill(Array(10).fill(7))), 100],
    ['wide.tif', () => tiff(Buffer.alloc(200), { bits: 16, channels: 1, photometric: 1 }), 200],
    ['screen.bmp', () => bmp({ width: 4, height: 2, bits: 24 }, Array(24).fill(1)), 24],
    ['frame.dcm', () => dicom({ rows: 10, columns: 10 }), 100],
    ['volume.nii.gz', () => nifti([10, 10, 1], () => 7), 452],
  ] as const)('is refused with the setting that lets it in: %s', async (name, bytes, needed) => {
    const source = file(name, bytes());
    expect((await readPixels(source, needed)).width).toBeGreaterThan(0);
    const refused = readPixels(source, needed - 1);
    await expect(refused).rejects.toThrow(SettingNeeded);
    await expect(refused).rejects.toThrow(`--set data.maxBytes=${needed}`);
  });

  it('is refused before anything is decompressed', async () => {
    const source = file('huge.png', hugePng(40000));
    await expect(readPixels(source)).rejects.toThrow(
      'its header says 40000×40000 pixels of 1 byte, which are 1526 MiB when decoded; data.maxBytes allows 512 MiB',
    );
    const jpeg = await sharp({ create: { width: 16, height: 16, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    jpeg.writeUInt16BE(65000, frame + 5);
    jpeg.writeUInt16BE(65000, frame + 7);
    await expect(readPixels(file('huge.jpg', jpeg))).rejects.toThrow('65000×65000 pixels of 3 bytes');
  });

  it('is no reason to unzip more of a volume than its header says', async () => {
    const volume = nifti([10, 10, 1], () => 7);
    const bomb = Buffer.concat([volume, gzipSync(Buffer.alloc(2 ** 22))]);
    await expect(readPixels(file('bomb.nii.gz', bomb))).rejects.toThrow(
      'but its NIfTI header says 452. The file is damaged',
    );
  });

  it('is refused as a deflated data set that grows beyond the limit', async () => {
    const source = file('deflated.dcm', deflated(dicom({ rows: 10, columns: 10 })));
    expect((await readPixels(source)).width).toBe(10);
    const grown = file('bomb.dcm', deflated(dicom({ rows: 10, columns: 10, frames: 1000 })));
    await expect(readPixels(grown, 10_000)).rejects.toThrow('which data.maxBytes allows');
  });

  it('is refused by the setting of the data set, and let in by it', async () => {
    for (const side of ['A', 'B']) mkdirSync(join(folder, side), { recursive: true });
    for (const side of ['A', 'B']) file(`${side}/p.png`, png(10, 8, GRAY, Array(10).fill(Array(10).fill(7))));
    const spec = { path: join(folder, 'A'), pathB: join(folder, 'B') };
    const codes = async (maxBytes: number) =>
      (await auditDataset(await openDataset({ ...spec, maxBytes }))).findings.map(({ code }) => code);
    expect(await codes(99)).toContain('needs-setting');
    expect(await codes(100)).not.toContain('needs-setting');
  });
});

describe('what is no regular file', () => {
  it('is refused by its name instead of being read without end', async () => {
    const device = join(folder, 'zero.png');
    symlinkSync('/dev/zero', device);
    await expect(readPixels({ kind: 'file', path: device })).rejects.toThrow(
      `${device}: is a device, expected a file`,
    );
    const pipe = join(folder, 'pipe.png');
    execFileSync('mkfifo', [pipe]);
    const images = { a: { kind: 'file', path: pipe } } as const;
    await expect(readPixels(images.a)).rejects.toThrow(`${pipe}: is a pipe, expected a file`);
    await expect(openDataset({ path: pipe })).rejects.toThrow('is a pipe');
    await expect(sourceDigests([{ id: 'p', subject: 'p', images }]).next()).rejects.toThrow('is a pipe');
    expect(() => [...listTar(pipe)]).toThrow(DataError);
    await expect(readPixels({ kind: 'file', path: folder })).rejects.toThrow('is a folder');
  });

  it('is not a link to a regular file', async () => {
    const link = join(folder, 'link.png');
    symlinkSync(file('target.png', png(1, 8, GRAY, [[7]])).path, link);
    expect([...(await readPixels({ kind: 'file', path: link })).data]).toEqual([7]);
  });
});
