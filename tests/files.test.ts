import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnatomyError, UsageError } from '../src/errors.js';
import { refuseUnwritable, writeFileAtomic } from '../src/files.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('refuseUnwritable', () => {
  it('lets a folder pass, there or not, and makes none', () => {
    refuseUnwritable(folder);
    refuseUnwritable(join(folder, 'new', 'and', 'newer'));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('names the file that stands in the way', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => refuseUnwritable(file)).toThrow(`--out ${file}: it is a file; choose a folder for --out`);
    expect(() => refuseUnwritable(join(file, 'deep', 'down'))).toThrow(`: ${file} is a file; choose`);
    expect(() => refuseUnwritable(file)).toThrow(UsageError);
  });

  it.skipIf(process.getuid?.() === 0)('names the folder that cannot be written to', () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o500 });
    expect(() => refuseUnwritable(join(closed, 'run'))).toThrow(`${closed} cannot be written to (EACCES)`);
  });
});

describe('writeFileAtomic', () => {
  it('writes text, bytes and pieces, and replaces what was there', () => {
    const path = join(folder, 'file');
    writeFileAtomic(path, 'grün');
    expect(readFileSync(path, 'utf8')).toBe('grün');
    writeFileAtomic(path, Uint8Array.of(1, 2));
    expect([...readFileSync(path)]).toEqual([1, 2]);
    writeFileAtomic(path, [Uint8Array.of(3), new Uint8Array(0), Uint8Array.of(4, 5)]);
    expect([...readFileSync(path)]).toEqual([3, 4, 5]);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('keeps the old file and no temporary one when the content fails half way', () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'old');
    function* content() {
      yield Buffer.from('new');
      expect(readdirSync(folder).find((name) => name.endsWith('.tmp'))).toContain(String(process.pid));
      throw new RangeError('no more');
    }
    expect(() => writeFileAtomic(path, content())).toThrow(RangeError);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('names the file when the system refuses', () => {
    const path = join(folder, 'missing', 'file');
    expect(() => writeFileAtomic(path, 'x')).toThrow(AnatomyError);
    expect(() => writeFileAtomic(path, 'x')).toThrow(`cannot write ${path}: ENOENT`);

    const occupied = join(folder, 'occupied');
    mkdirSync(occupied);
    expect(() => writeFileAtomic(occupied, 'x')).toThrow(AnatomyError);
    expect(readdirSync(folder)).toEqual(['occupied']);
  });
});
