import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { ImageLoader } from '../../src/data/loading/loader.js';
import { openDataset } from '../../src/data/openDataset.js';
import { MessageConsole } from '../../src/log/console.js';
import { spearman } from '../../src/metrics/rankCorrelation.js';
import { Explorer } from '../../src/server/explorer/explorer.js';
import { ExplorerThread } from '../../src/server/explorer/explorerThread.js';
import { outlineOf } from '../../src/server/explorer/outline.js';
import { patchesIn } from '../../src/server/explorer/similarities.js';
import { embedBatches } from '../../src/training/embed.js';
import { openImages } from '../../src/training/imageCache.js';
import { pretrain } from '../../src/training/pretrain.js';
import { openSingleRun, RunNetworks } from '../../src/use/openEncoder.js';
import { tinyPairs } from '../evaluation/tinyPairs.js';

const SIZE = 32;
/** The sample without an image of b. */
const GAP = 5;

let folder: string;
let run: { id: string; root: string };
let explorer: Explorer;
const quiet = () => new MessageConsole({ quiet: true });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'explorer-'));
  const { manifest } = await tinyPairs(join(folder, 'images'), 6);
  const lines = readFileSync(manifest, 'utf8').trim().split('\n');
  lines[GAP + 1] = lines[GAP + 1]!.replace(/[^,]+-b\.png/, '');
  writeFileSync(manifest, `${lines.join('\n')}\n`);
  run = { id: 'run', root: join(folder, 'run') };
  const config = resolveConfig({
    set: [
      ...[`data.size=${SIZE}`, 'model.width=0.25', 'method.patches=[2,2]', 'method.maps=[1,2,3]'],
      ...['training.batchSize=4', 'training.steps=2', 'training.precision=fp32'],
      ...['training.checkpointEvery=1', 'training.keepCheckpoints=2'],
    ],
    flags: { 'data.path': manifest, 'data.cacheFolder': join(folder, 'cache') },
  });
  await pretrain(config, { out: run.root, console: quiet() });
  explorer = new Explorer();
});
afterAll(() => {
  explorer.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** A map of the run's encoder, [C, side, side]. */
async function mapOf(
  sample: number,
  modality: string,
  map: number,
): Promise<{ values: Float32Array; shape: readonly number[] }> {
  const networks = new RunNetworks(
    openSingleRun(run.root, () => {}),
    'cpu',
  );
  const { config } = networks;
  const dataset = await openDataset({ path: config.data.path! });
  const loader = new ImageLoader(await openImages(dataset, config, join(folder, 'cache'), quiet()));
  const common = { loader, indices: [sample], size: SIZE, normalization: config.data.normalize };
  const encoder = networks.of(modality);
  const passes = embedBatches(
    { ...common, encoder, modality, precision: 'fp32', device: 'cpu' },
    ({ maps }) => maps,
  );
  const { value } = await passes.next();
  await passes.return(undefined);
  networks.dispose();
  loader.dispose();
  return value![map]!;
}

/** Cosines of all patches to one, of a map that the grid divides: Eqs. 3 and 4 by hand. */
function cosines(
  { values, shape }: { values: Float32Array; shape: readonly number[] },
  grid: number,
  anchor: number,
) {
  const [channels, side] = shape as [number, number];
  const vectors = Array.from({ length: grid ** 2 }, () => new Float64Array(channels));
  for (let c = 0; c < channels; c += 1) {
    for (let y = 0; y < side; y += 1) {
      for (let x = 0; x < side; x += 1) {
        const patch = Math.floor((y * grid) / side) * grid + Math.floor((x * grid) / side);
        vectors[patch]![c]! += values[(c * side + y) * side + x]!;
      }
    }
  }
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, one, i) => sum + one * b[i]!, 0);
  const own = vectors[anchor]!;
  return vectors.map((vector) => dot(vector, own) / Math.sqrt(dot(vector, vector) * dot(own, own)));
}

const at = (x: number, y: number) => ({ left: x, top: y, right: x, bottom: y });

describe('the explorer', () => {
  it('lists the samples with what they have, and the maps of the encoder', async () => {
    const { modalities, sides, samples } = await explorer.samples(run);
    expect(modalities).toEqual(['a', 'b']);
    expect(sides).toEqual([32, 16, 8, 4, 2]);
    expect(samples).toHaveLength(12);
    expect(samples[GAP]!.modalities).toEqual(['a']);
    expect(samples[0]).toMatchObject({ modalities: ['a', 'b'], subject: expect.any(String) });
  });

  it('tells what is odd about the data with its samples, to the public nothing, and on the terminal nothing', async () => {
    const terminal = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const [own, open] = [new Explorer(), new Explorer({ isPublic: true })];
    try {
      expect((await own.samples(run)).notes).toEqual([expect.stringContaining('1 of 12 samples lacks b')]);
      expect((await open.samples(run)).notes).toEqual([]);
      await own.audit(run);
      expect(terminal.mock.calls).toEqual([]);
    } finally {
      terminal.mockRestore();
      for (const one of [own, open]) one.dispose();
    }
  });

  it('gives the image as the run sees it', async () => {
    const { data, info } = await sharp(await explorer.picture(run, 0, 'a'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([SIZE, SIZE]);
    expect(new Set(data).size).toBeGreaterThan(10);
    await expect(explorer.picture(run, GAP, 'b')).rejects.toThrow(`sample ${GAP} has no image of b`);
  });

  it('finds the cosines of Eq. 4 to the patch that is pointed at, and their rank correlation', async () => {
    const question = { sample: 2, map: 2, grid: 4, region: at(0.6, 0.3) };
    const [own, pixels] = await explorer.similarity([run], question);
    expect(own).toMatchObject({ source: 'run', grid: 4, anchors: [6] });
    const expected = await Promise.all(
      ['a', 'b'].map(async (name) => cosines(await mapOf(2, name, 2), 4, 6)),
    );
    for (const [i, name] of ['a', 'b'].entries()) {
      for (const [patch, value] of own!.maps[name]!.entries()) {
        expect(value, `${name} ${patch}`).toBeCloseTo(expected[i]![patch]!, 3);
      }
    }
    const outside = (values: readonly number[]) => values.filter((_, patch) => patch !== 6);
    expect(own!.agreement).toBeCloseTo(spearman(outside(expected[0]!), outside(expected[1]!)), 2);
    // The first samples of other subjects that have b.
    const strangers = await Promise.all(
      [0, 4, 6].map(async (one) => cosines(await mapOf(one, 'b', 2), 4, 6)),
    );
    const chance = strangers.map((other) => spearman(outside(expected[0]!), outside(other)));
    expect(own!.chance).toBeCloseTo(chance.reduce((sum, one) => sum + one, 0) / 3, 2);
    expect(pixels).toMatchObject({ source: 'pixels', grid: 4 });
    expect(pixels!.maps.a![6]).toBeCloseTo(1, 3);
  });

  it('averages over a region', async () => {
    const two = { left: 0.5, top: 0.25, right: 1, bottom: 0.5 };
    const [both] = await explorer.similarity([run], { sample: 2, map: 2, grid: 4, region: two });
    expect(both!.anchors).toEqual([6, 7]);
    const rows = await Promise.all([6, 7].map(async (anchor) => cosines(await mapOf(2, 'a', 2), 4, anchor)));
    for (const [patch, value] of both!.maps.a!.entries()) {
      expect(value).toBeCloseTo((rows[0]![patch]! + rows[1]![patch]!) / 2, 3);
    }
  });

  it('has nothing to agree where a sample has one image, and no finer grid than a map', async () => {
    const [own] = await explorer.similarity([run], { sample: GAP, map: 3, grid: 28, region: at(0.5, 0.5) });
    expect(own).toMatchObject({ grid: 4, agreement: null, chance: null });
    expect(Object.keys(own!.maps)).toEqual(['a']);
    await expect(
      explorer.similarity([run], { sample: 99, map: 1, grid: 4, region: at(0, 0) }),
    ).rejects.toThrow(/sample is 99; .* has samples 0 to 11/);
  });

  it('maps all cases, each image a point, with what they may be coloured by', async () => {
    const { points, columns } = await explorer.cases(run, { kind: 'pca', features: 'pooled' });
    expect(Object.keys(points)).toEqual(['a', 'b']);
    for (const own of Object.values(points)) expect(own).toHaveLength(12);
    expect(points.b!.flatMap((point, sample) => (point === null ? [sample] : []))).toEqual([GAP]);
    expect(new Set(columns.label)).toEqual(new Set(['benign', 'malignant']));
    expect(new Set(columns.subject).size).toBe(6);
    // PCA turns the features, so that distances along the first axis are the largest there are.
    const xs = Object.values(points).flatMap((own) =>
      own.flatMap((point) => (point === null ? [] : [point])),
    );
    const spread = (axis: 0 | 1) => {
      const mean = xs.reduce((sum, point) => sum + point[axis], 0) / xs.length;
      return xs.reduce((sum, point) => sum + (point[axis] - mean) ** 2, 0);
    };
    expect(spread(0)).toBeGreaterThan(spread(1));
    const head = await explorer.cases(run, { kind: 'umap', features: 'head' });
    expect(head.points).not.toEqual(points);
    expect(await explorer.cases(run, { kind: 'umap', features: 'head' })).toEqual(head);
  });

  it('finds the nearest cases within a modality and across, and the rank of the own image', async () => {
    const found = await explorer.nearest(run, { sample: 2, features: 'pooled' });
    expect(found.map(({ from, to }) => `${from}${to}`)).toEqual(['aa', 'ab', 'ba', 'bb']);
    for (const { from, to, cases, mateRank } of found) {
      const samples = cases.map(({ sample }) => sample);
      expect(samples.includes(2)).toBe(from !== to && mateRank! <= cases.length);
      if (to === 'b') expect(samples).not.toContain(GAP);
      const cosines = cases.map(({ cosine }) => cosine);
      expect(cosines).toEqual([...cosines].sort((a, b) => b - a));
    }
    const { cases } = found[0]!;
    // Pooled features are the means of the last map.
    const [own, other] = await Promise.all(
      [2, cases[0]!.sample].map(async (one) => {
        const { values, shape } = await mapOf(one, 'a', 4);
        const places = shape[1]! * shape[2]!;
        return Array.from({ length: shape[0]! }, (_, c) =>
          values.subarray(c * places, (c + 1) * places).reduce((sum, value) => sum + value, 0),
        );
      }),
    );
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    const cosine = dot(own!, other!) / Math.sqrt(dot(own!, own!) * dot(other!, other!));
    expect(cases[0]!.cosine).toBeCloseTo(cosine, 3);
    await expect(explorer.nearest(run, { sample: 99, features: 'pooled' })).rejects.toThrow('sample is 99');
  });

  it('asks an earlier checkpoint, as the run with its last encoder does not answer', async () => {
    const { steps } = await explorer.samples(run);
    expect(steps).toEqual([1, 2]);
    const question = { sample: 2, map: 2, grid: 4, region: at(0.6, 0.3) };
    const [[before], [last], [now]] = await Promise.all([
      explorer.similarity([{ ...run, step: 1 }], question),
      explorer.similarity([{ ...run, step: 2 }], question),
      explorer.similarity([run], question),
    ]);
    expect([before!.step, last!.step, now!.step]).toEqual([1, 2, undefined]);
    expect(last!.maps).toEqual(now!.maps);
    expect(before!.maps).not.toEqual(now!.maps);
  });

  it('audits the data of a run, and shows its images as they are', async () => {
    const { samples, findings, suggested } = await explorer.audit(run);
    expect(samples).toBe(12);
    const found = findings.flatMap(({ items }) => items).flatMap((item) => item.samples);
    expect(found.length).toBeGreaterThan(0);
    for (const { id, sample, modalities } of found) {
      expect(id).toBe(`x${sample}`);
      expect(modalities).toEqual(sample === GAP ? ['a'] : ['a', 'b']);
    }
    expect(suggested.every(({ id, reason }) => id !== '' && reason !== '')).toBe(true);
    const { format } = await sharp(Buffer.from(await explorer.thumbnail(run, 2, 'b'))).metadata();
    expect(format).toBe('jpeg');
    await expect(explorer.thumbnail(run, GAP, 'b')).rejects.toThrow(`sample ${GAP} has no image of b`);
  });

  it('audits data without a run, tells how far it is, and reads them anew once they were mended', async () => {
    const path = join(folder, 'images/own.csv');
    const lines = readFileSync(join(folder, 'images/pairs.csv'), 'utf8').trim().split('\n');
    writeFileSync(path, `${lines.join('\n')}\n`);
    const given = new Explorer({ data: { path } });
    const told: number[][] = [];
    const { findings, ...about } = await given.audit('given', (looked, of) => told.push([looked, of]));
    expect(about).toEqual({ ...(await explorer.audit(run)), findings: undefined, data: about.data });
    expect(findings.map(({ code }) => code)).toEqual(
      (await explorer.audit(run)).findings.map(({ code }) => code),
    );
    expect(told.map(([looked]) => looked)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(new Set(told.map(([, of]) => of))).toEqual(new Set([12]));
    expect(await given.thumbnail('given', 2, 'b')).toEqual(await explorer.thumbnail(run, 2, 'b'));
    writeFileSync(path, `${lines.slice(0, -2).join('\n')}\n`);
    utimesSync(path, 1, 1);
    expect((await given.audit('given')).samples).toBe(10);
    given.dispose();
    await expect(explorer.audit('given')).rejects.toThrow(
      'no data were given; start anatomy serve with --data',
    );
  });

  it('outlines lesions by masks of a folder, and none where there is none', async () => {
    const masks = join(folder, 'masks');
    mkdirSync(masks);
    const pixels = Uint8Array.from({ length: 16 }, (_, i) => (i === 5 ? 255 : 0));
    await sharp(pixels, { raw: { width: 4, height: 4, channels: 1 } })
      .png()
      .toFile(join(masks, 'x2.png'));
    const masked = new Explorer({ masks });
    expect(await masked.outline(run, 2)).toHaveLength(4);
    expect(await masked.outline(run, 3)).toEqual([]);
    expect(await explorer.outline(run, 2)).toEqual([]);
    masked.dispose();
  });

  it('tells others pseudonyms, and shows them no image of a patient', async () => {
    const open = new Explorer({ isPublic: true });
    const said = JSON.stringify([
      await open.samples(run),
      await open.cases(run, { kind: 'pca', features: 'pooled' }),
      await open.audit(run),
    ]);
    expect(said).not.toMatch(/"x\d+"|patient/);
    expect(said).toMatch(/"P-[0-9a-f]{12}"/);
    await expect(open.picture(run, 2, 'a')).rejects.toThrow('not shown to the public');
    await expect(open.thumbnail(run, 2, 'a')).rejects.toThrow('not shown to the public');
    open.dispose();
  });

  it('works in a thread, which tells what is wrong and goes on', async () => {
    const thread = new ExplorerThread(
      {},
      new URL('../../dist/server/explorer/explorerWorker.js', import.meta.url),
    );
    const question = { sample: 2, map: 2, grid: 4, region: at(0.6, 0.3) };
    await expect(thread.ask('similarity', [[run], { ...question, sample: 99 }])).rejects.toThrow(
      'sample is 99',
    );
    expect(await thread.ask('similarity', [[run], question])).toEqual(
      await explorer.similarity([run], question),
    );
    await expect(thread.ask('samples', [{ id: 'x', root: join(folder, 'none') }])).rejects.toThrow('none');
    const gone = new AbortController();
    const busy = thread.ask('cases', [run, { kind: 'umap', features: 'pooled' }]);
    const left = thread.ask('samples', [run], gone.signal);
    gone.abort();
    await expect(left).rejects.toThrow('nobody waits');
    await busy;
    const open = thread.ask('samples', [run]);
    const closed = thread.close();
    await expect(open).rejects.toThrow('the explorer stopped');
    await closed;
  });
});

it('an outline is the edges between inside and outside, straight ones joined', () => {
  // A square of 2×2 in an image of 4×4, and a pixel in its corner.
  const data = Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1]);
  const edges = outlineOf({ width: 4, height: 4, data });
  expect(edges).toHaveLength(8);
  for (const edge of [
    [0.5, 0.5, 1, 0.5],
    [0.5, 1, 1, 1],
    [0.5, 0.5, 0.5, 1],
    [1, 0.5, 1, 1],
    [0, 0, 0.25, 0],
    [0.25, 0, 0.25, 0.25],
  ]) {
    expect(edges).toContainEqual(edge);
  }
  expect(outlineOf({ width: 2, height: 1, data: new Uint8Array(2) })).toEqual([]);
});

it('a region is the patches whose centre it holds, or the one of its own centre', () => {
  expect(patchesIn({ left: 0, top: 0, right: 1, bottom: 1 }, 2)).toEqual([0, 1, 2, 3]);
  expect(patchesIn({ left: 0.6, top: 0, right: 1, bottom: 1 }, 2)).toEqual([1, 3]);
  expect(patchesIn(at(0.99, 0.1), 4)).toEqual([3]);
  expect(patchesIn(at(1, 1), 4)).toEqual([15]);
  expect(patchesIn(at(0.5, 0.5), 4)).toEqual([10]);
});
