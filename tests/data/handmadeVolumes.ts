import { gzipSync } from 'node:zlib';

/** Voxel indices → millimetres: voxels of 1 mm along right, front, top, the first one at `origin`. */
export const upright = (origin: readonly [number, number, number] = [0, 0, 0]): number[][] =>
  origin.map((at, row) => [0, 1, 2].map((axis) => Number(axis === row)).concat(at));

/** A NIfTI-1 file of bytes, made field by field (nifti1.h), gzipped; `value` gives the voxel at [x, y, z], `change` alters the header. */
export function nifti(
  [nx, ny, nz]: readonly [number, number, number],
  value: (x: number, y: number, z: number) => number,
  affine: readonly (readonly number[])[] = upright(),
  change: (header: Buffer) => void = () => {},
): Buffer {
  const header = Buffer.alloc(352);
  header.writeInt32LE(348, 0);
  for (const [i, length] of [3, nx, ny, nz, 1, 1, 1, 1].entries()) header.writeInt16LE(length, 40 + 2 * i);
  header.writeInt16LE(2, 70); // datatype: uint8
  header.writeInt16LE(8, 72);
  for (let i = 0; i < 4; i += 1) header.writeFloatLE(1, 76 + 4 * i);
  header.writeFloatLE(352, 108);
  header.writeFloatLE(1, 112);
  header.writeInt16LE(1, 254); // sform: scanner coordinates
  for (const [i, entry] of affine.flat().entries()) header.writeFloatLE(entry, 280 + 4 * i);
  header.write('n+1\0', 344, 'latin1');
  change(header);
  const voxels = Buffer.alloc(nx * ny * nz);
  for (let i = 0; i < voxels.length; i += 1) {
    voxels[i] = value(i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny)));
  }
  return gzipSync(Buffer.concat([header, voxels]));
}

export interface DicomOptions {
  readonly frames?: number;
  readonly rows?: number;
  readonly columns?: number;
  readonly patientId?: string;
  readonly studyId?: string;
}

/** A DICOM file of black 8-bit frames, explicit little endian. */
export function dicom({
  frames = 1,
  rows = 4,
  columns = 6,
  patientId = '',
  studyId = '',
}: DicomOptions): Buffer {
  const short = (value: number) => Buffer.from(Uint16Array.of(value).buffer);
  const text = (value: string, pad = ' ') => Buffer.from(value.length % 2 ? value + pad : value, 'latin1');
  const element = (group: number, number: number, vr: string, value: Buffer) => {
    const long = vr === 'OB';
    const head = Buffer.alloc(long ? 12 : 8);
    head.writeUInt16LE(group, 0);
    head.writeUInt16LE(number, 2);
    head.write(vr, 4, 'latin1');
    if (long) head.writeUInt32LE(value.length, 8);
    else head.writeUInt16LE(value.length, 6);
    return Buffer.concat([head, value]);
  };
  const syntax = element(2, 0x10, 'UI', text('1.2.840.10008.1.2.1', '\0'));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(syntax.length, 0);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(2, 0, 'UL', length),
    syntax,
    element(0x08, 0x60, 'CS', text('US')),
    element(0x10, 0x20, 'LO', text(patientId)),
    element(0x20, 0x0d, 'UI', text(studyId, '\0')),
    element(0x28, 0x02, 'US', short(1)),
    element(0x28, 0x04, 'CS', text('MONOCHROME2')),
    element(0x28, 0x08, 'IS', text(String(frames))),
    element(0x28, 0x10, 'US', short(rows)),
    element(0x28, 0x11, 'US', short(columns)),
    element(0x28, 0x100, 'US', short(8)),
    element(0x28, 0x101, 'US', short(8)),
    element(0x28, 0x102, 'US', short(7)),
    element(0x28, 0x103, 'US', short(0)),
    element(0x7fe0, 0x10, 'OB', Buffer.alloc(frames * rows * columns)),
  ]);
}
