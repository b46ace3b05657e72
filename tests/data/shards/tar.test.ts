import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { listTar } from '../../../src/data/shards/tar.js';
import { DataError } from '../../../src/errors.js';
import { temporaryFolder } from '../../training/tiny.js';

const LONG = `${'folder-with-a-long-name/'.repeat(6)}${'x'.repeat(90)}.json`;
const CONTENTS: Readonly<Record<string, Buffer>> = {
  '000000.a.png': Buffer.from('first'),
  '000000.b.png': Buffer.alloc(512, 7),
  'empty.cls': Buffer.alloc(0),
  'naïve/ü.txt': Buffer.alloc(1500, 3),
  [LONG]: Buffer.from('{}'),
};

/** An archive by the system's own tar, with a link and folders beside the files. */
function archive(format: string): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(CONTENTS)) {
    mkdirSync(join(folder, 'in', name, '..'), { recursive: true });
    writeFileSync(join(folder, 'in', name), content);
  }
  symlinkSync('000000.a.png', join(folder, 'in', 'link.png'));
  const names = ['link.png', ...Object.keys(CONTENTS)];
  execFileSync('tar', [
    `--format=${format}`,
    '-cf',
    join(folder, 'x.tar'),
    '-C',
    join(folder, 'in'),
    ...names,
  ]);
  return join(folder, 'x.tar');
}

const listed = (file: string) =>
  Object.fromEntries(files(file, () => true).map(({ name, content }) => [name, content]));
/** The members that are no links. */
const files = (...from: Parameters<typeof listTar>) => [...listTar(...from)].filter(({ isLink }) => !isLink);

test.each(['gnu', 'pax', 'oldgnu'])(
  'an archive that the system’s tar writes (%s) is listed, long names included',
  (format) => {
    const file = archive(format);
    expect(listed(file)).toEqual(CONTENTS);
    const links = [...listTar(file)].filter(({ isLink }) => isLink);
    expect(links).toMatchObject([{ name: 'link.png', length: 0, isLink: true }]);
    const bytes = readFileSync(file);
    for (const { name, offset, length } of files(file))
      expect(bytes.subarray(offset, offset + length).equals(CONTENTS[name]!)).toBe(true);
  },
);

describe('a damaged archive is an error that names the byte, or nothing that counts has changed', () => {
  const names = Object.keys(CONTENTS);

  test('holds for an archive truncated anywhere', () => {
    const whole = readFileSync(archive('pax'));
    const cut = join(temporaryFolder(), 'cut.tar');
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => {
        writeFileSync(cut, whole);
        truncateSync(cut, length);
        try {
          expect(listed(cut)).toEqual(CONTENTS);
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
          expect((error as Error).message).toMatch(/cut\.tar: .*at byte \d+/);
        }
      }),
    );
  });

  test('holds for a bit flipped in a header', () => {
    const file = archive('pax');
    const whole = readFileSync(file);
    const bent = join(temporaryFolder(), 'bent.tar');
    const headers = [...listTar(file)].map(({ offset }) => offset - 512);
    fc.assert(
      fc.property(fc.constantFrom(...headers), fc.nat(512 * 8 - 1), (header, bit) => {
        const bytes = Buffer.from(whole);
        bytes[header + (bit >> 3)]! ^= 1 << (bit & 7);
        writeFileSync(bent, bytes);
        try {
          expect(Object.keys(listed(bent))).toEqual(names);
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
    );
  });
});

test.each([
  ['gunzip', gzipSync(Buffer.alloc(10240))],
  ['bunzip2', Buffer.from('BZh91AY&SY')],
  ['unxz', Buffer.from('\xfd7zXZ\0', 'latin1')],
  ['unzstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0])],
])('a compressed archive is refused with the tool that undoes it: %s', (tool, bytes) => {
  const file = join(temporaryFolder(), 'x.tar');
  writeFileSync(file, bytes);
  expect(() => [...listTar(file)]).toThrow(`${tool} ${file}`);
});

test('a file of noise is no tar archive', () => {
  const file = join(temporaryFolder(), 'noise.tar');
  writeFileSync(file, createHash('shake256', { outputLength: 4096 }).digest());
  expect(() => [...listTar(file)]).toThrow(/noise\.tar: is truncated, damaged or no tar archive: at byte 0/);
});
