import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../training/tiny.js';

const program = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

/** Loaded before the program: a disk with room for 20 kB a file. */
const FULL_DISK = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Writable } from 'node:stream';
fs.createWriteStream = () => {
  let free = 20_000;
  return new Writable({
    write(chunk, _, done) {
      free -= chunk.length;
      done(free < 0 ? Object.assign(new Error('no space left'), { code: 'ENOSPC' }) : null);
    },
  });
};
syncBuiltinESMExports();
`;

test.each([7, 100])(
  'shards of %i samples on a full disk end in an error that says so, and leave nothing behind',
  (size) => {
    const folder = temporaryFolder();
    const preload = `data:text/javascript,${encodeURIComponent(FULL_DISK)}`;
    const pack = [
      'data',
      'pack',
      '--data',
      'phantom:breast,pairs=40',
      '--size',
      '48',
      '--shard-size',
      `${size}`,
    ];
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', preload, program, ...pack, '--shards', join(folder, 'shards')],
      { encoding: 'utf8' },
    );
    expect(stderr).toMatch(/shards does not fit on its disk: nothing was written/);
    expect(status).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  },
);
