import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { readSafetensors } from '../../../src/export/safetensors.js';
import { MessageConsole } from '../../../src/log/console.js';
import { similarPage } from '../../../src/report/cases/similarPage.js';
import { pretrain } from '../../../src/training/pretrain.js';
import { embedData } from '../../../src/use/embed/embed.js';
import { type SimilarOptions, similar } from '../../../src/use/similar/similar.js';
import { tinyPairs } from '../../evaluation/tinyPairs.js';

let folder: string;
let run: string;
const quiet = () => new MessageConsole({ quiet: true });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'similar-'));
  const { manifest } = await tinyPairs(join(folder, 'images'), 8);
  run = join(folder, 'run');
  const config = resolveConfig({
    set: ['method=instdis', 'data.size=32', 'model.width=0.25', 'training.batchSize=8', 'training.steps=2'],
    flags: { 'data.path': manifest, 'data.cacheFolder': join(folder, 'cache') },
  });
  await pretrain(config, { out: run, console: quiet() });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const search = (options: Partial<SimilarOptions> & Pick<SimilarOptions, 'query'>) =>
  similar({ run, cacheFolder: join(folder, 'cache'), ...options });

/** Features of all samples as `embed` writes them. */
async function features(images: string, kind: string): Promise<number[][]> {
  const out = join(folder, `${images}-${kind}.safetensors`);
  await embedData({ run, out, images, features: kind, overwrite: true, cacheFolder: join(folder, 'cache') });
  const { shape, data } = readSafetensors(out).tensors.get('features')!;
  const values = new Float32Array(data.buffer);
  return Array.from({ length: shape[0]! }, (_, i) => [
    ...values.subarray(i * shape[1]!, (i + 1) * shape[1]!),
  ]);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe('similar', () => {
  test('orders the samples of other subjects by the cosine of the features that embed writes', async () => {
    const { found } = await search({ query: ['x4', 'x9'], count: 5 });
    const rows = await features('a+b', 'pooled');
    for (const { query, cases } of found) {
      const own = Number(query.id.slice(1));
      const expected = rows
        .map((row, i) => ({ id: `x${i}`, cosine: cosine(rows[own]!, row) }))
        .filter((_, i) => Math.floor(i / 2) !== Math.floor(own / 2))
        .sort((one, other) => other.cosine - one.cosine)
        .slice(0, 5);
      expect(cases.map(({ sample }) => sample.id)).toEqual(expected.map(({ id }) => id));
      for (const [i, { similarity }] of cases.entries())
        expect(similarity).toBeCloseTo(expected[i]!.cosine, 12);
    }
  });

  test('across modalities it compares the head, and of the own subject only when asked', async () => {
    const { found, features: kind } = await search({
      ...{ query: ['x2'], queryImages: 'a', images: 'b', count: 16, sameSubject: true },
    });
    expect(kind).toBe('head');
    const [a, b] = [await features('a', 'head'), await features('b', 'head')];
    const { cases } = found[0]!;
    // All samples but the query itself, whose mate is known.
    expect(cases).toHaveLength(15);
    expect(cases.map(({ sample }) => sample.id)).toContain('x3');
    const [first] = cases;
    expect(first!.similarity).toBeCloseTo(cosine(a[2]!, b[Number(first!.sample.id.slice(1))]!), 12);
  });

  test('an image file is its own nearest case', async () => {
    const file = join(folder, 'images', 'x6-a.png');
    const { found } = await search({ query: [file], images: 'a', count: 1 });
    expect(found[0]!.query.id).toBe('x6-a.png');
    expect(found[0]!.cases[0]!.sample.id).toBe('x6');
    expect(found[0]!.cases[0]!.similarity).toBeCloseTo(1, 6);
    const pair = [`a=${file}`, `b=${join(folder, 'images', 'x6-b.png')}`];
    expect((await search({ query: pair })).found[0]!.cases[0]!.sample.id).toBe('x6');
  });

  test('the page shows the query first', async () => {
    const found = await search({ query: ['x1'], count: 2 });
    const page = await similarPage({ ...found, withImages: true });
    expect([...page.matchAll(/<li><b>(x\d+)<\/b>/g)].map(([, id]) => id)).toEqual([
      'x1',
      ...found.found[0]!.cases.map(({ sample }) => sample.id),
    ]);
    expect(page).toContain('Compared by A+B, by the cosine of pooled features');
  });
});

describe('refused', () => {
  const refused = (options: Parameters<typeof search>[0], message: RegExp) =>
    expect(search(options)).rejects.toThrow(message);

  test('a query that is nowhere', () =>
    refused(
      { query: ['x44'] },
      /--query x44: is neither the id of a sample of pairs nor an image file; did you mean x4\?/,
    ));

  test('files that do not fit the images that are compared', async () => {
    const file = (name: string) => join(folder, 'images', name);
    await refused({ query: [file('x1-a.png')] }, /no file is of b, and a\+b is compared; add b=FILE/);
    await refused(
      { query: [file('x1-a.png'), file('x2-a.png')] },
      /two image files are of a; name the modality/,
    );
    await refused({ query: [`c=${file('x1-a.png')}`] }, /c is no modality of pairs; it has a, b/);
  });

  test('sets of different lengths, a count below one, an unknown kind, no query', async () => {
    await refused({ query: ['x1'], queryImages: 'a', images: 'a+b' }, /have features of different lengths/);
    await refused({ query: ['x1'], count: 0 }, /--count is 0, expected a whole number from 1/);
    await refused({ query: ['x1'], features: 'heads' }, /--features is heads, .*did you mean head\?/);
    await refused({ query: [] }, /needs a query/);
  });
});
