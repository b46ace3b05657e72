import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { claimsTable, formatClaims, zonesTable } from '../../../src/evaluation/results/claimsTable.js';
import {
  type NamedPairs,
  type PairMeasure,
  type PairsResult,
  parsePairs,
} from '../../../src/evaluation/results/pairsResult.js';
import { type Figure, standaloneSvg, svgToPng } from '../../../src/report/figures/figure.js';
import { lossFigures } from '../../../src/report/figures/lossFigure.js';
import { projectionFigures } from '../../../src/report/figures/projectionFigure.js';
import { similarityFigures } from '../../../src/report/figures/similarityFigure.js';
import { cellWords } from '../../../src/text/table/cellWords.js';
import type { Table } from '../../../src/text/table/model.js';

const interval = (value: number | null) => ({ value, low: value, high: value });

function measure(key: string, changes: Partial<PairMeasure> = {}): PairMeasure {
  const [claim, source, features] = key.split('/') as [PairMeasure['claim'], PairMeasure['source'], string];
  const kind = claim === 'agreement' || claim === 'retrieval' ? 'difference' : 'ratio';
  return {
    key,
    claim,
    source,
    features,
    pairs: 5,
    subjects: 4,
    ...interval(0.25),
    chance: interval(0.5),
    againstChance: { kind, ...interval(kind === 'ratio' ? 0.5 : -0.25) },
    ...changes,
  };
}

const zone = (source: 'run' | 'pixels', name: 'inside' | 'around' | 'rest', value: number) =>
  measure(`agreement/${source}/map3/8x8/${name}`, {
    grid: 8,
    zone: name,
    ...interval(value),
    pairs: { inside: 2, around: 5, rest: 4 }[name],
    againstRest: name === 'rest' ? undefined : { kind: 'difference', ...interval(value - 0.1) },
  });

/** Maps of 2×2 and points on a line: all that a figure needs. */
function record(salt = 0): PairsResult {
  const points = (shift: number) => [0, 1, 2].map((i): [number, number] => [i + salt, 2 * i + shift]);
  const map = (source: 'run' | 'untrained', b: number[]) => ({
    source,
    map: 3,
    grid: 2,
    anchor: 1,
    a: [0.2, 1, 0.4, 0.9],
    b,
  });
  return {
    version: 1,
    tool: 'anatomy-ssl 0.1.0',
    protocol: 'pairs',
    settings: {},
    run: {
      ...{ name: 'first', method: 'anatomy', recipe: 'authors', seed: 0, size: 64 },
      ...{ precision: 'fp32', device: 'cpu', encoders: [] },
    },
    data: {
      name: 'tiny',
      dataHash: 'none',
      pairs: 5,
      subjects: 4,
      modalities: ['a', 'b'],
      chosen: 'all',
      setAside: 0,
      withLesion: 2,
    },
    exposure: { kind: 'transductive', seenTestSamples: 5, testSamples: 5 },
    bootstrap: { replicates: 100, confidence: 0.95, seed: 0 },
    measures: [
      // As they are measured: the tables have an order of their own.
      measure('agreement/run/map3/8x8/all', { grid: 8, zone: 'all', ...interval(null) }),
      measure('consistency/run/maps'),
      measure('distance/run/head'),
      measure('distance/untrained/head', { againstChance: { kind: 'ratio', ...interval(0.9) } }),
      measure('retrieval/run/head/a-to-b', { direction: 'a-to-b' }),
      zone('run', 'inside', 0.7),
      zone('run', 'around', 0.6),
      zone('run', 'rest', 0.1),
    ],
    projections: (['run', 'untrained'] as const).map((source) => ({
      source,
      kind: 'tsne',
      a: points(0),
      b: points(1),
    })),
    examples: [
      {
        position: 3,
        lesion: true,
        anchors: [
          {
            x: 0.75,
            y: 0.25,
            rule: 'lesion',
            maps: [map('run', [0.2, 1, 0.4, 0.9]), map('untrained', [0.9, 1, 0.4, 0.2])],
          },
        ],
      },
    ],
    notes: ['Transductive: told.'],
  };
}

const results = (...names: string[]): NamedPairs[] => names.map((name, i) => ({ name, record: record(i) }));
const count = (text: string, part: string) => text.split(part).length - 1;

async function sizeOf(figure: Figure): Promise<{ width: number; height: number }> {
  const { width, height } = await sharp(await svgToPng(standaloneSvg(figure), 1)).metadata();
  return { width, height };
}

describe('Fig. 4', () => {
  test('has a panel for the untrained encoder and for each run, two to a figure, with a line between mates', async () => {
    const figures = projectionFigures(results('Ours', 'L_Glo alone'), 'tsne');
    expect(figures.map(({ id }) => id)).toEqual(['projection-tsne-1', 'projection-tsne-2']);
    expect(figures[0]!.alt).toContain(
      'Untrained: 3 pairs, distance of mates ÷ of strangers 0.900; Ours: 3 pairs, distance of mates ÷ of strangers 0.500',
    );
    expect(figures[1]!.title).toBe('Fig. 4: pairs in the plane, t-SNE (2 of 2)');
    expect(figures[1]!.svg).toContain('L_Glo alone');
    // Three lines for three pairs of one panel.
    expect(/<g aria-label="link"[^>]*>(.*?)<\/g>/s.exec(figures[1]!.svg)![1]!.split('<path').length - 1).toBe(
      3,
    );
    expect((await sizeOf(figures[0]!)).width).toBe(460);
    expect(projectionFigures(results('Ours'), 'umap')).toEqual([]);
  });
});

describe('Fig. 5', () => {
  test('has a row for each method and a column for each modality on one scale, and says how alike the maps are', async () => {
    const [figure, ...others] = similarityFigures(results('Ours'), { map: 3 });
    expect(others).toEqual([]);
    // Identical maps correlate fully; the reversed ones of the untrained encoder are opposed: −0.23 / 0.26 by hand.
    expect(figure!.alt).toContain('an anchor at the lesion, in A and in B');
    expect(figure!.reading).toContain('The framed patch lies at the lesion;');
    expect(figure!.alt).toMatch(/Untrained: −0\.88; Ours: 1\.00/);
    // 2 rows × 2 columns × 4 patches, two frames in each panel, and 24 steps of the scale.
    expect(count(figure!.svg, '<rect')).toBe(16 + 8 + 24);
    expect(figure!.svg).toContain('0.20');
    expect(figure!.svg).not.toContain('<image');
    const { width, height } = await sizeOf(figure!);
    expect(width).toBeLessThan(height * 1.5);
    expect(similarityFigures(results('Ours'), { map: 4 })).toEqual([]);
  });

  test('says where each of two anchors lies, under the names of the columns', () => {
    const { data, examples, ...rest } = record();
    const [example] = examples;
    const anchors = [...example!.anchors, { ...example!.anchors[0]!, rule: 'elsewhere' as const }];
    const named = { ...rest, data: { ...data, modalities: ['flair', 't1'] as [string, string] } };
    const [figure] = similarityFigures(
      [{ name: 'Ours', record: { ...named, examples: [{ ...example!, anchors }] } }],
      { map: 3 },
    );
    expect(figure!.reading).toContain(
      'The patch framed in flair · 1 and t1 · 1 lies at the lesion, that in flair · 2 and t1 · 2 lies elsewhere;',
    );
    for (const column of ['flair · 1', 't1 · 1', 'flair · 2', 't1 · 2']) {
      expect(figure!.svg).toContain(`>${column}<`);
    }
  });

  test('shows images only when they are given', () => {
    const pixel = 'data:image/png;base64,AAAA';
    const images = new Map([[3, { a: pixel, b: pixel }]]);
    const [figure] = similarityFigures(results('Ours'), { map: 3, images });
    expect(count(figure!.svg, pixel)).toBe(2);
    const elsewhere = new Map([[4, { a: pixel, b: pixel }]]);
    expect(similarityFigures(results('Ours'), { map: 3, images: elsewhere })[0]!.svg).not.toContain(pixel);
  });

  test('leaves out runs that show another pair', () => {
    const [ours, other] = results('Ours', 'Other');
    const [example] = other!.record.examples;
    const moved = { ...other!, record: { ...other!.record, examples: [{ ...example!, position: 9 }] } };
    expect(similarityFigures([ours!, moved], { map: 3 })[0]!.svg).not.toContain('Other');
  });
});

describe('Fig. 3', () => {
  const line = (step: number, values: Record<string, number>) => ({ step, epoch: 0, ...values }) as never;
  const ours = [
    line(1, { consistency: 0.01, global: 18, 'chance/global': 19.4 }),
    line(50, { consistency: 0.001, global: 3 }),
  ];

  test('has both losses of several runs, and the level of guessing where all guess among as many', () => {
    const others = [line(1, { global: 18, 'chance/global': 19.4 }), line(50, { global: 9 })];
    const [consistency, global] = lossFigures([
      { name: 'Ours', lines: ours },
      { name: 'L_Glo alone', lines: others },
    ]);
    expect(consistency!.alt).toContain('Ours goes from 0.01 at step 1 to 0.001 at step 50');
    expect(consistency!.svg).not.toContain('L_Glo alone');
    expect(global!.alt).toContain('L_Glo alone goes from 18 at step 1 to 9 at step 50');
    expect(global!.svg).toContain('guessing');
    const larger = [line(1, { global: 18, 'chance/global': 22 })];
    expect(
      lossFigures([
        { name: 'A', lines: ours },
        { name: 'B', lines: larger },
      ])[1]!.svg,
    ).not.toContain('guessing');
    expect(lossFigures([{ name: 'none', lines: [] }])).toEqual([]);
  });
});

const wordsOf = ({ rows }: Table) =>
  rows.map(({ cells }) => cells.map(cellWords).map(({ value, rest }) => value + rest));

describe('the tables of claims', () => {
  test('have a line for each claim and run, one for each baseline, and a dash for an undefined number', () => {
    const table = claimsTable(results('Ours', 'Other'));
    expect(table.columns).toHaveLength(6);
    const rows = wordsOf(table);
    expect(rows.map(([claim, of]) => `${claim}: ${of}`)).toEqual([
      'L_C (Eq. 6): Ours, transductive',
      'L_C (Eq. 6): Other, transductive',
      'Fig. 4: 1 − cosine of mates, head features: Ours, transductive',
      'Fig. 4: 1 − cosine of mates, head features: Other, transductive',
      'Fig. 4: 1 − cosine of mates, head features: untrained, calibrated',
      'Fig. 4: mates found first a→b, head features: Ours, transductive',
      'Fig. 4: mates found first a→b, head features: Other, transductive',
      'Fig. 5: agreement of patches, map 3, 8×8: Ours, transductive',
      'Fig. 5: agreement of patches, map 3, 8×8: Other, transductive',
    ]);
    expect(rows[0]!.slice(2)).toEqual([
      '0.25000 [0.25000, 0.25000]',
      '0.50000',
      '× 0.500 [0.500, 0.500]',
      '5',
    ]);
    expect(rows[7]![2]).toBe('–');
    expect(rows[7]![4]).toBe('−0.250 [−0.250, −0.250]');
  });

  test('have the zones side by side with their differences to elsewhere, and are missing without a lesion', () => {
    const table = zonesTable(results('Ours'))!;
    expect(wordsOf(table)).toEqual([
      [
        'map 3',
        '8×8',
        'Ours, transductive',
        '0.700 [0.700, 0.700] (0.500)',
        '0.600 [0.600, 0.600] (0.500)',
        '0.100 [0.100, 0.100] (0.500)',
        '+0.600 [+0.600, +0.600]',
        '+0.500 [+0.500, +0.500]',
      ],
    ]);
    const measures = record().measures.filter(({ zone: own = 'all' }) => own === 'all');
    expect(zonesTable([{ name: 'Ours', record: { ...record(), measures } }])).toBeUndefined();
  });

  test('come with their notes in Markdown, and survive being written', () => {
    const text = formatClaims(results('Ours', 'Other'));
    expect(text).toContain('5 pairs of 4 subjects (all there are)');
    const drawnOf = (chosen: PairsResult['data']['chosen']) =>
      formatClaims([
        { name: 'Ours', record: { ...record(), data: { ...record().data, chosen, drawnFrom: 1866 } } },
      ]);
    expect(drawnOf('all')).toContain('5 pairs of 4 subjects (drawn from the 1,866 there are)');
    expect(drawnOf('held-out')).toContain('(drawn from the 1,866 kept from the encoder that measured them)');
    expect(text).toContain('in the lesion, around it and elsewhere: 2, 5, 4 of 8×8 patches.');
    expect(text).toMatch(/^- Transductive: told\.$/m);
    const [ours, other] = results('Ours', 'Other');
    const own = { ...other!, record: { ...other!.record, notes: ['Only here.'] } };
    const named = formatClaims([ours!, own]);
    expect(named).toContain('- Transductive: told. (Ours)\n- Only here. (Other)');
    const written = JSON.parse(JSON.stringify(record()).replaceAll('"subjects":4', '"subjects":40'));
    expect(parsePairs(written, 'pairs.json')).toEqual(written);
    // Over too few subjects no interval is one of 95 %, and old results say so as well.
    const [warning, ...others] = parsePairs(JSON.stringify(record()), 'pairs.json').notes;
    expect(warning).toMatch(/^Only 4 subjects: /);
    expect(others).toEqual(['Transductive: told.']);
    expect(text).toContain('**Only 4 subjects: ');
    expect(text).not.toContain('95 % interval');
    expect(() => parsePairs('{', 'pairs.json')).toThrow(/pairs\.json: is not JSON/);
  });
});
