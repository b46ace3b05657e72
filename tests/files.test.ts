import { spawnSync } from 'node:child_process';
import {
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnatomyError, UsageError } from '../src/errors.js';
import {
  namingFile,
  PRIVATE,
  refuseUnwritable,
  refuseUnwritableFile,
  sweepTemporaries,
  temporaryFile,
  writeFileAtomic,
} from '../src/files.js';

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

describe('refuseUnwritableFile', () => {
  it('lets a file pass, there or not, and makes none', () => {
    refuseUnwritableFile(join(folder, 'drop.csv'), '--drop-list');
    refuseUnwritableFile(join(folder, 'new', 'drop.csv'), '--drop-list');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('names the flag and what stands in the way', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => refuseUnwritableFile(join(file, 'drop.csv'), '--drop-list')).toThrow(
      `--drop-list ${join(file, 'drop.csv')}: ${file} is a file; choose another --drop-list`,
    );
  });

  it.skipIf(process.getuid?.() === 0)('names the folder that cannot be written to', () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o500 });
    expect(() => refuseUnwritableFile(join(closed, 'drop.csv'), '--drop-list')).toThrow(
      `${closed} cannot be written to (EACCES); choose another --drop-list`,
    );
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

  it('follows no link that was planted beside the file, and a link in its place is replaced', () => {
    const path = join(folder, 'file');
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'mine');
    symlinkSync(victim, path);
    // The name that a temporary file had before it could not be guessed.
    symlinkSync(victim, join(folder, `.file.${process.pid}-0.tmp`));
    writeFileAtomic(path, 'new');
    expect([readFileSync(victim, 'utf8'), readFileSync(path, 'utf8')]).toEqual(['mine', 'new']);
    const names = [1, 2].map(() => temporaryFile(path));
    expect(names[0]).not.toBe(names[1]);
    symlinkSync(victim, names[0]!);
    expect(() => writeFileSync(names[0]!, 'x', { flag: 'wx' })).toThrow('EEXIST');
  });

  it('gives the file the mode that is asked for, also where another one was', () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'old', { mode: 0o644 });
    writeFileAtomic(path, 'new', { mode: PRIVATE });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('takes names that are as long as a file system allows', () => {
    const path = join(folder, 'ü'.repeat(127));
    writeFileAtomic(path, 'x');
    expect(readFileSync(path, 'utf8')).toBe('x');
  });

  it('removes what killed processes left of the same file, and what else was left when asked', () => {
    const gone = spawnSync('true').pid;
    const space = /([0-9a-f]{8})-\d+-[0-9a-f]{12}\.tmp$/.exec(temporaryFile('x'))![1];
    const left = (target: string, pid: number) => {
      const name = `.${target}.${space}-${pid}-0123456789ab.tmp`;
      writeFileSync(join(folder, name), 'half');
      return name;
    };
    const [ours, others, alive] = [left('file', gone), left('other', gone), left('file', process.ppid)];
    const foreign = '.file.00000000-1-0123456789ab.tmp';
    const older = '.file.99-0.tmp';
    for (const name of [foreign, older, 'notes.tmp']) writeFileSync(join(folder, name), '');
    writeFileAtomic(join(folder, 'file'), 'x');
    expect(readdirSync(folder)).not.toContain(ours);
    expect(readdirSync(folder)).toEqual(expect.arrayContaining([others, alive, foreign, older]));
    utimesSync(join(folder, foreign), 0, 0);
    utimesSync(join(folder, older), 0, 0);
    sweepTemporaries(folder);
    expect(readdirSync(folder).sort()).toEqual([alive, 'file', 'notes.tmp']);
  });
});

describe('namingFile', () => {
  it('names the file where the system does not, and leaves other errors as they are', () => {
    const path = join(folder, 'file');
    // The number of a file that was closed may be another file's already.
    const file = 2 ** 30;
    expect(() => namingFile(path, () => fsyncSync(file))).toThrow(`cannot write ${path}: EBADF`);
    expect(() => namingFile(path, () => [].at(0)!)).not.toThrow();
    const other = () => {
      throw new RangeError('mine');
    };
    expect(() => namingFile(path, other)).toThrow(RangeError);
  });
});
