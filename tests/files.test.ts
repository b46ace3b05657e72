import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnatomyError } from '../src/errors.js';
import { writeFileAtomic } from '../src/files.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

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
