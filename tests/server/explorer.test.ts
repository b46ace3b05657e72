import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { ImageLoader } from '../../src/data/loading/loader.js';
import { openDataset } from '../../src/data/openDataset.js';
import { MessageConsole } from '../../src/log/console.js';
import { spearman } from '../../src/metrics/rankCorrelation.js';
import { Explorer } from '../../src/server/explorer/explorer.js';
import { ExplorerThread } from '../../src/server/explorer/explorerThread.js';
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
    expect(own!.chance).not.toBeNull();
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

it('a region is the patches whose centre it holds, or the one of its own centre', () => {
  expect(patchesIn({ left: 0, top: 0, right: 1, bottom: 1 }, 2)).toEqual([0, 1, 2, 3]);
  expect(patchesIn({ left: 0.6, top: 0, right: 1, bottom: 1 }, 2)).toEqual([1, 3]);
  expect(patchesIn(at(0.99, 0.1), 4)).toEqual([3]);
  expect(patchesIn(at(1, 1), 4)).toEqual([15]);
  expect(patchesIn(at(0.5, 0.5), 4)).toEqual([10]);
});
