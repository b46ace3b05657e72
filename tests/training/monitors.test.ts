import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openImageCache } from '../../src/data/loading/imageCache.js';
import { type BatchPlan, batchAt, ImageLoader, stepsPerEpoch } from '../../src/data/loading/loader.js';
import { hasImage, presentAmong } from '../../src/data/presence.js';
import type { Dataset } from '../../src/data/sample.js';
import { embed } from '../../src/training/embed.js';
import { monitor, planMonitors, warnOfCollapse } from '../../src/training/monitors.js';
import { gappedDataset, threeModalities, withGaps } from '../data/gapped.js';
import { freed, methodOf, temporaryFolder, tinyConfig, withOneThread } from './tiny.js';

withOneThread();

describe('planMonitors', () => {
  const subjectsOf = (positions: readonly number[], subjects: readonly string[]) =>
    new Set(positions.map((position) => subjects[position]!));

  test('never lets a subject vote for itself, held-out pairs or not, folds by subject or not', () => {
    const drawn = fc.record({
      subjects: fc.array(fc.nat(6).map(String), { minLength: 2, maxLength: 40 }),
      heldOut: fc.uniqueArray(fc.nat(39), { maxLength: 20 }),
      pairs: fc.integer({ min: 2, max: 30 }),
      seed: fc.nat(9),
    });
    fc.assert(
      fc.property(drawn, ({ subjects, heldOut, pairs, seed }) => {
        const kept = heldOut.filter((position) => position < subjects.length);
        const trained = subjects
          .map((_, position) => position)
          .filter((position) => !kept.includes(position));
        const plan = planMonitors({ trained, heldOut: kept, subjects, pairs, neighbours: 3, seed });
        const asked = subjectsOf(plan.queries, subjects);
        for (const voter of subjectsOf(plan.references, subjects)) expect(asked).not.toContain(voter);
        for (const voter of plan.references) expect(trained).toContain(voter);
        expect(plan.queries.length).toBeLessThanOrEqual(pairs);
        expect(new Set(plan.queries).size).toBe(plan.queries.length);
        const from = kept.length > 1 ? kept : trained;
        for (const query of plan.queries) expect(from).toContain(query);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test('looks at held-out pairs where there are any, chosen by the seed', () => {
    const subjects = Array.from({ length: 40 }, (_, position) => `s${position}`);
    const [heldOut, trained] = [[...subjects.keys()].slice(0, 10), [...subjects.keys()].slice(10)];
    const plan = (seed: number) =>
      planMonitors({
        trained,
        heldOut,
        subjects,
        pairs: 5,
        neighbours: 3,
        seed,
        labels: subjects.map(() => 1),
      });
    expect(plan(1)).toEqual(plan(1));
    expect(plan(1).queries).not.toEqual(plan(2).queries);
    expect(plan(1).queries.every((position) => heldOut.includes(position))).toBe(true);
    expect([plan(1).queries.length, plan(1).references.length]).toEqual([5, 10]);
  });

  test('nobody votes where there is one subject alone', () => {
    const plan = planMonitors({
      trained: [0, 1, 2],
      heldOut: [],
      subjects: ['s', 's', 's'],
      pairs: 5,
      neighbours: 3,
      seed: 0,
    });
    expect([plan.queries, plan.references]).toEqual([[0, 1, 2], []]);
  });
});

describe('the collapse warning', () => {
  test('comes once for each modality, at the second low look in a row', () => {
    const said: string[] = [];
    const collapsed = new Map<string, number>();
    const looks = [0.001, 0.5, 0.001, 0.002, 0.001, 0.5, 0.001, 0.001];
    const after = looks.map((value) => {
      const found = { 'featureDeviation/us': value, 'featureDeviation/swe': 0.3, alignment: 0 };
      warnOfCollapse(found, collapsed, { warn: (text) => void said.push(text) });
      return said.length;
    });
    expect(after).toEqual([0, 0, 0, 1, 1, 1, 1, 1]);
    expect(said[0]).toMatch(/embeddings of us have collapsed: their deviation is 0\.0020/);
  });
});

describe('batchAt', () => {
  const plan = (more: Partial<BatchPlan> = {}): BatchPlan => ({
    indices: [3, 5, 7, 11, 13, 17, 19],
    batchSize: 3,
    dropLast: false,
    seed: 1,
    ...more,
  });
  const epochOf = (one: BatchPlan, epoch: number) => {
    const steps = stepsPerEpoch(one);
    return Array.from({ length: steps }, (_, i) => batchAt(one, epoch * steps + i));
  };

  test('each epoch gives every sample once, in an order of its own', () => {
    const orders = [0, 1, 2].map((epoch) => {
      const batches = epochOf(plan(), epoch);
      expect(batches.map(({ indices }) => indices.length)).toEqual([3, 3, 1]);
      expect(batches.every((batch) => batch.epoch === epoch)).toBe(true);
      return batches.flatMap(({ indices }) => indices);
    });
    for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual([...plan().indices]);
    expect(new Set(orders.map(String)).size).toBe(3);
    expect(epochOf(plan({ seed: 2 }), 0)).not.toEqual(epochOf(plan(), 0));
  });

  test('dropLast leaves out the rest, but never the only batch', () => {
    const batches = epochOf(plan({ dropLast: true }), 0);
    expect(batches.map(({ indices }) => indices.length)).toEqual([3, 3]);
    const large = plan({ dropLast: true, batchSize: 100 });
    expect(stepsPerEpoch(large)).toBe(1);
    expect(epochOf(large, 4)[0]!.indices).toHaveLength(7);
  });
});

describe('monitors of samples that lack images', () => {
  const common = { size: 32, normalization: 'none', precision: 'fp32', device: 'cpu' } as const;
  const method = () => methodOf(tinyConfig(), ['a', 'b', 'c']);

  /** Looks at the even samples, for which the odd ones vote; each label is known. */
  async function look(dataset: Dataset, root: string, positions = [...dataset.samples.keys()]) {
    const { samples, modalities } = dataset;
    const loader = freed(new ImageLoader(await openImageCache(dataset, { size: 32, root })));
    const own = method();
    const numberOf = (position: number) => Number(samples[position]!.id.slice('pair-'.length));
    const plan = {
      queries: positions.filter((position) => numberOf(position) % 4 < 2),
      references: positions.filter((position) => numberOf(position) % 4 >= 2),
      labels: samples.map((_, position) => numberOf(position) % 2),
      neighbours: 3,
    };
    return monitor(plan, {
      ...common,
      loader,
      encoderFor: (modality) => own.encoderFor(modality),
      modalities,
      present: presentAmong(samples, modalities),
    });
  }

  function subset(dataset: Dataset, modalities: readonly string[]): Dataset {
    const samples = dataset.samples.filter((sample) => modalities.every((one) => hasImage(sample, one)));
    const others = new Set(dataset.modalities.filter((one) => !modalities.includes(one)));
    return { ...withGaps({ ...dataset, samples }, (_, modality) => others.has(modality)), modalities };
  }

  test('each value is that of the samples that have the images', async () => {
    const folder = temporaryFolder();
    const gone = (i: number, modality: string) =>
      (modality === 'c' && i % 3 === 1) || (modality === 'b' && i % 5 === 3) || (modality === 'a' && i === 6);
    const dataset = withGaps(await threeModalities(folder, 16), gone);
    const found = await look(dataset, folder);
    const near = (own: Record<string, number>, names: readonly string[], as = (one: string) => one) => {
      for (const name of names) {
        expect(own[name], name).toBeDefined();
        expect(found[as(name)], name).toBeCloseTo(own[name]!, 4);
      }
    };
    for (const modality of ['a', 'b', 'c']) {
      const own = await look(subset(dataset, [modality]), folder);
      near(own, [`uniformity/${modality}`, `featureDeviation/${modality}`, `knnAuc/${modality}`]);
    }
    let alignments = 0;
    for (const [a, b] of [
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'c'],
    ] as const) {
      const own = await look(subset(dataset, [a, b]), folder);
      near(own, [`retrieval/${a}-to-${b}`, `retrieval/${b}-to-${a}`]);
      near(own, ['retrievalPairs'], (name) => `${name}/${a}-to-${b}`);
      alignments += own.alignment!;
    }
    expect(found.alignment).toBeCloseTo(alignments / 3, 4);
    near(await look(subset(dataset, ['a', 'b', 'c']), folder), ['knnAuc/all']);
  });

  test('values of fewer than two samples are left out, and no warning follows from them', async () => {
    const folder = temporaryFolder();
    const dataset = withGaps(await gappedDataset(folder, 8), (i, modality) =>
      modality === 'c' ? i > 0 : modality === 'b' && i > 1,
    );
    const found = await look(dataset, folder);
    expect(Object.keys(found)).toContain('uniformity/a');
    expect(Object.keys(found).filter((name) => /\/c|-c/.test(name))).toEqual([]);
    for (const [name, value] of Object.entries(found))
      if (!name.startsWith('knnAuc')) expect(value, name).toSatisfy(Number.isFinite);
  });

  test('embedding keeps the order of the samples, and of no sample makes nothing', async () => {
    const folder = temporaryFolder();
    const dataset = await gappedDataset(folder);
    const loader = freed(new ImageLoader(await openImageCache(dataset, { size: 32, root: folder })));
    const encoder = method().encoderFor('b');
    const of = (indices: readonly number[], batchSize: number) =>
      embed({ ...common, loader, encoder, modality: 'b', indices, batchSize }, ['embedding']);
    const [one, other] = [await of([6, 0, 5, 2], 4), await of([2, 5, 0, 6], 3)];
    const rows = ({ embedding, rows: count }: typeof one) =>
      Array.from({ length: count }, (_, i) => [
        ...embedding.slice((i * embedding.length) / count, ((i + 1) * embedding.length) / count),
      ]);
    const [forth, back] = [rows(one), rows(other).reverse()];
    forth.forEach((row, i) => void row.forEach((value, j) => void expect(back[i]![j]).toBeCloseTo(value, 4)));
    expect((await of([], 4)).rows).toBe(0);
  });
});
