import { readdirSync } from 'node:fs';
import { Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { openDataset } from '../../src/data/dataset.js';
import { writeShards } from '../../src/data/shardsWrite.js';
import { temporaryFolder } from '../training/tiny.js';

/** A disk with room for 20 kB in all. */
vi.mock('node:fs', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:fs')>()),
  createWriteStream: () => {
    let free = 20_000;
    return new Writable({
      write(chunk: Buffer, _, done) {
        free -= chunk.length;
        done(free < 0 ? Object.assign(new Error('no space left'), { code: 'ENOSPC' }) : null);
      },
    });
  },
}));

test.each([7, 100])(
  'shards of %i samples on a disk that is full: said so, and nothing is left',
  async (shardSize) => {
    const dataset = await openDataset({ path: 'phantom:breast,pairs=40,seed=0' });
    const folder = temporaryFolder();
    await expect(writeShards(dataset, `${folder}/shards`, { shardSize, size: 48 })).rejects.toThrow(
      /shards does not fit on its disk: nothing was written/,
    );
    expect(readdirSync(folder)).toEqual([]);
  },
);
