import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileState } from '../../src/data/cache/unchanged.js';
import type { Dataset, Sample } from '../../src/data/sample.js';
import { serveApp } from '../../src/server/app.js';
import { ExplorerThread } from '../../src/server/explorer/explorerThread.js';
import { volumeNumbers } from '../../src/server/explorer/slices.js';
import { MOST_BYTES, openVolume } from '../../src/server/explorer/volumeFile.js';
import { caseVolumes, volumePlace } from '../../src/server/explorer/volumes.js';
import type { CaseVolumes, ExplorerRun, VolumeFile } from '../../src/server/messages.js';
import { nifti } from '../data/handmadeVolumes.js';
import { SLICES, TAKEN, volumeRun } from './volumeRun.js';

const TOKEN = 'the-token';
const HOST = '127.0.0.1:8765';
const WORKER = new URL('../../dist/server/explorer/explorerWorker.js', import.meta.url);

let folder: string;
let images: string;
const threads: ExplorerThread[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'volumes-'));
  images = join(folder, 'images');
  await volumeRun(images, join(folder, 'runs/run'));
  mkdirSync(join(folder, 'page'));
});
afterAll(async () => {
  await Promise.all(threads.map((thread) => thread.close()));
  rmSync(folder, { recursive: true, force: true });
});

function served(isPublic = false) {
  const [explorer, auditor] = [0, 1].map(() => new ExplorerThread({ isPublic }, WORKER)) as [
    ExplorerThread,
    ExplorerThread,
  ];
  threads.push(explorer, auditor);
  const place = { root: join(folder, 'runs'), page: join(folder, 'page') };
  const app = serveApp({ ...place, token: TOKEN, port: 8765, hosts: [], explorer, auditor, isPublic });
  return async (path: string, headers: Readonly<Record<string, string>> = {}) =>
    app.request(path, { headers: { host: HOST, cookie: `anatomy-8765=${TOKEN}`, ...headers } });
}

describe('the volumes of a run', () => {
  it('are known by their slices, and sent as they lie on the disk', async () => {
    const ask = served();
    const { samples } = (await (await ask('/api/samples?run=run')).json()) as ExplorerRun;
    expect(samples.map(({ volume }) => volume)).toEqual(
      [0, 4, 8, 12].flatMap((first) => Array(4).fill(first)),
    );
    const volumes = (await (await ask('/api/volumes?run=run&sample=6')).json()) as CaseVolumes;
    expect(volumes).toMatchObject({ axis: 0, dims: [SLICES, 12, 12] });
    const expected = Array.from({ length: SLICES }, (_, i) =>
      TAKEN.includes(i) ? 4 + TAKEN.indexOf(i) : null,
    );
    expect(volumes.samples).toEqual(expected);
    expect(JSON.stringify(volumes)).not.toContain(folder);
    for (const [modality, file] of [
      ['a', 'p1-a.nii.gz'],
      ['b', 'p1-b.nii'],
    ] as const) {
      // A path is no question, so this one is not heard.
      const response = await ask(`/api/volume?run=run&sample=6&modality=${modality}&path=/etc/passwd`);
      const { headers } = response;
      const bytes = readFileSync(join(images, file));
      expect(bytes.equals(Buffer.from(await response.arrayBuffer())), modality).toBe(true);
      expect(headers.get('content-length')).toBe(String(bytes.length));
      expect(headers.get('content-type')).toBe('application/octet-stream');
      expect(headers.get('content-encoding')).toBeNull();
      expect(headers.get('cache-control')).toBe('no-store');
      expect(volumes.files[modality]).toMatchObject({ bytes: bytes.length });
    }
    // b says no orientation, and is taken to lie as its mate; its first voxel is at 0.
    const [a, b] = ['a', 'b'].map((one) => volumes.files[one] as VolumeFile);
    const turns = ({ affine }: VolumeFile) => affine.map((row) => row.slice(0, 3).map((entry) => entry + 0));
    expect(turns(b!)).toEqual(turns(a!));
  });

  it('are for this machine’s user alone, and never for the public', async () => {
    const ask = served();
    const open = served(true);
    for (const path of ['/api/volumes?run=run&sample=0', '/api/volume?run=run&sample=0&modality=a']) {
      expect((await ask(path, { cookie: '' })).status, path).toBe(401);
      expect((await ask(path, { host: 'evil.example:8765' })).status, path).toBe(403);
      expect((await ask(path, { origin: 'http://evil.example' })).status, path).toBe(403);
      const refused = await open(path);
      expect([refused.status, await refused.text()], path).toEqual([
        403,
        'Volumes are not shown while the page is public.\n',
      ]);
    }
    const { samples } = (await (await open('/api/samples?run=run')).json()) as ExplorerRun;
    expect(samples.filter(({ volume }) => volume !== undefined)).toEqual([]);
  });

  it('are refused in words when the question is wrong, or the file is another by now', async () => {
    const ask = served();
    const said = async (path: string) => {
      const response = await ask(path);
      return `${response.status} ${await response.text()}`;
    };
    expect(await said('/api/volume?run=none&sample=0&modality=a')).toContain('404 There is no such run');
    expect(await said('/api/volume?run=run&sample=0')).toContain('422 modality is');
    expect(await said('/api/volume?run=run&sample=x&modality=a')).toContain('422 sample is "x"');
    expect(await said('/api/volume?run=run&sample=0&modality=c')).toContain(
      '422 pairs: sample 0 has no image of c',
    );
    expect(await said('/api/volume?run=run&sample=16&modality=a')).toContain('sample 16 has no image of a');
    expect(await said('/api/volumes?run=run&sample=16')).toContain(
      '422 sample is 16; pairs has samples 0 to 15',
    );
    const file = join(images, 'p3-a.nii.gz');
    const question = '/api/volume?run=run&sample=12&modality=a';
    renameSync(file, `${file}.away`);
    expect(await said(question)).toContain(`422 ${file}: cannot be read: no such file`);
    mkdirSync(file);
    expect(await said(question)).toContain(`422 ${file}: is a folder, expected a file`);
    rmSync(file, { recursive: true });
    renameSync(`${file}.away`, file);
    expect((await ask(question)).status).toBe(200);
    appendFileSync(file, 'more');
    expect(await said(question)).toContain(
      `422 ${file}: was changed since the images of this run were read, so it may not show what they show. ` +
        'Put the file back as it was, or start anatomy serve again.',
    );
    const { files } = (await (await ask('/api/volumes?run=run&sample=12')).json()) as CaseVolumes;
    expect(files).toMatchObject({
      a: { refused: expect.stringContaining('was changed') },
      b: { bytes: 1792 },
    });
  });
});

describe('a volume', () => {
  const sliceOf = (path: string, index: number): Sample => ({
    id: `s${index}`,
    subject: 'p',
    images: { a: { kind: 'file', path, part: { kind: 'slice', axis: 2, index } } },
  });
  const runOf = (samples: readonly Sample[], state = fileState) => ({
    dataset: { name: 'data', modalities: ['a'], samples } as Dataset,
    volumeState: state,
  });

  it('is not sent above the limit, stored or unzipped, and its slices are still counted', async () => {
    const file = join(folder, 'large.nii');
    writeFileSync(file, '');
    truncateSync(file, MOST_BYTES + 1);
    await expect(openVolume({ path: file, state: fileState(file) })).rejects.toThrow(
      `${file}: is 513 MiB long; volumes above 512 MiB are not sent to the page. Look at its slices`,
    );
    const unzips = join(folder, 'unzips.nii.gz');
    const large = (header: Buffer) => {
      for (const [i, length] of [1024, 1024, 600].entries()) header.writeInt16LE(length, 42 + 2 * i);
    };
    writeFileSync(
      unzips,
      nifti([2, 2, 2], () => 1, undefined, large),
    );
    const found = await caseVolumes(runOf([sliceOf(unzips, 3)]), 0);
    expect(found.samples).toHaveLength(600);
    expect(found.files.a).toEqual({ refused: expect.stringContaining('is 600 MiB unzipped; volumes above') });
  });

  it('that is gone leaves the slices that are samples', async () => {
    const found = await caseVolumes(
      runOf([sliceOf('/none.nii', 1), sliceOf('/none.nii', 4)], () => ''),
      0,
    );
    expect(found).toMatchObject({ dims: null, samples: [null, 0, null, null, 1] });
  });

  it('is another case by another file or axis, and an image that is no slice has none', async () => {
    const flat: Sample = { id: 'x', subject: 'p', images: { a: { kind: 'file', path: '/x.png' } } };
    const across: Sample = {
      ...sliceOf('/one.nii', 0),
      images: { a: { kind: 'file', path: '/one.nii', part: { kind: 'slice', axis: 1, index: 0 } } },
    };
    const run = runOf([flat, sliceOf('/one.nii', 0), sliceOf('/two.nii', 0), sliceOf('/one.nii', 1), across]);
    expect(volumeNumbers(run.dataset)).toEqual([undefined, 1, 2, 1, 4]);
    expect(() => volumePlace(run, 0, 'a')).toThrow('"x": its image of a is no slice of a volume');
    await expect(caseVolumes(run, 0)).rejects.toThrow('sample 0 is no slice of a volume');
  });

  it('that is cut while it is sent ends in an error, and a reader that leaves lets the file go', async () => {
    const file = join(folder, 'sent.nii');
    writeFileSync(file, Buffer.alloc(2 ** 21));
    const isOpen = () =>
      readdirSync('/proc/self/fd').some((name) => {
        try {
          return readlinkSync(`/proc/self/fd/${name}`) === file;
        } catch {
          return false; // the one of this look
        }
      });
    const { content, bytes } = await openVolume({ path: file, state: fileState(file) });
    expect(bytes).toBe(2 ** 21);
    truncateSync(file, 2 ** 20);
    await expect(new Response(content).arrayBuffer()).rejects.toThrow('was changed since');
    const reader = (await openVolume({ path: file, state: fileState(file) })).content.getReader();
    await reader.read();
    expect(isOpen()).toBe(true);
    await reader.cancel();
    await expect.poll(isOpen, { timeout: 60_000 }).toBe(false);
  });
});
