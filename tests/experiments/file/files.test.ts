import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { paperBlocks, printedNumbers } from '../../../src/experiments/file/paperNumbers.js';
import { readExperiment } from '../../../src/experiments/file/readExperiment.js';
import { cellsOf } from '../../../src/experiments/run/cells.js';

const folder = fileURLToPath(new URL('../../../experiments/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const read = (name: string, smoke = false) =>
  readExperiment(`${folder}${name}`, smoke ? { smoke } : { data: 'phantom:breast' });
const ids = (name: string, smoke = false) =>
  cellsOf(read(name, smoke), '/out', { k: 5, setAside: false }).map(({ id }) => id);

describe('the files of the paper’s tables and figures', () => {
  test('there is one for each', () => {
    expect(names.sort()).toEqual([
      ...['figure3.yaml', 'figure4.yaml', 'figure5.yaml'],
      ...[
        'large.yaml',
        'study-2.yaml',
        'study.yaml',
        'table1.yaml',
        'table2.yaml',
        'table3.yaml',
        'transfer.yaml',
        'tuning.yaml',
        'unaligned-tenth.yaml',
        'unaligned-two-rows.yaml',
        'unaligned.yaml',
      ],
    ]);
  });

  test('the study runs candidates of the tuning, with nothing changed but the steps', () => {
    const tuned = new Map(
      read('tuning.yaml').rows.flatMap(({ candidates }) => candidates.map((one) => [one.name, one] as const)),
    );
    const chosen = read('study.yaml')
      .rows.slice(0, 6)
      .filter(({ name }) => name !== 'L_Glo alone');
    expect(chosen.map(({ name }) => name)).toEqual(['Ours', 'InstDis all', 'SimCLR', 'CMC', 'DenseCL']);
    for (const { name, configs } of chosen.flatMap(({ candidates }) => candidates)) {
      const [before] = tuned.get(name)!.configs;
      expect(configs[0]).toEqual({ ...before, training: { ...before!.training, steps: 600 } });
    }
  });

  test.each(names)('%s has cells at full and at smoke size', (name) => {
    for (const smoke of [false, true]) {
      const found = ids(name, smoke);
      expect(found.length).toBeGreaterThan(3);
      expect(new Set(found).size).toBe(found.length);
    }
  });

  test.each([
    [
      'table1.yaml',
      [...['w/o pretrain', 'InstDis-A', 'InstDis-B', 'CMC', 'SimCLR', 'InstDis-All', 'DenseCL', 'Ours']],
    ],
    ['table2.yaml', ['Consistency', 'Global', 'Consistency + Global']],
    ['table3.yaml', Object.keys(paperBlocks().find(({ table }) => table === 3)!.rows)],
  ])('%s has all rows of the paper’s table, at one budget', (name, printed) => {
    const { rows } = read(name);
    expect(rows.flatMap(({ paper }) => paper?.row ?? []).sort()).toEqual([...printed].sort());
    const budgets = rows.flatMap(({ candidates }) =>
      candidates.flatMap(({ configs }) =>
        configs.map(({ data, model, training }) => [
          data.size,
          model.width,
          training.steps,
          training.batchSize,
        ]),
      ),
    );
    expect(new Set(budgets.map(String)).size).toBe(1);
  });

  test('Table 1 judges by all protocols of the paper, on its transfer sets too', () => {
    const { judge, protocols, rows } = read('table1.yaml');
    expect(protocols.map(({ slug }) => slug)).toEqual(['logreg', 'linear', 'finetune-hu']);
    expect(judge.map(({ name, absent }) => [name, absent?.includes('--judge')])).toEqual([
      ['BUSI', true],
      ['iChallenge-PM', true],
    ]);
    expect(rows.filter(({ fold }) => fold === 'all').map(({ name }) => name)).toEqual(['supervised']);
  });

  test('tuning has eight candidates for each method, under the ids of the first study', () => {
    const { rows } = read('tuning.yaml');
    expect(rows.map(({ name, candidates }) => [name, candidates.length])).toEqual(
      ['Ours', 'InstDis all', 'SimCLR', 'CMC', 'DenseCL'].map((name) => [name, 8]),
    );
    const found = ids('tuning.yaml');
    expect(found).toHaveLength(80);
    expect(found.slice(0, 3)).toEqual([
      ...['ours-1/seed-0/pretrain', 'ours-1/seed-0/logreg', 'ours-2/seed-0/pretrain'],
    ]);
    expect(found).toContain('instdis-all-8/seed-0/logreg');
    // A half fraction has every level of every factor in four of the eight, and every pair of levels of A, B and C once
    // or twice.
    for (const { candidates } of rows) {
      const levels = candidates.map(({ configs: [config] }) => [
        config!.augment.crop!.scale[0],
        'mask' in config!.method ? config!.method.mask : '',
        config!.training.learningRate,
      ]);
      expect(new Set(levels.map(String)).size).toBe(8);
    }
  });
});

describe('the paper’s numbers', () => {
  const block = (table: number, data: string, protocol: string) =>
    paperBlocks().find((one) => one.table === table && one.data === data && one.protocol === protocol)!;

  test('ten groups of columns; spot checks of each against the print', () => {
    expect(paperBlocks()).toHaveLength(10);
    const ours = (table: number, data: string, protocol: string, row = 'Ours') =>
      Object.values(printedNumbers(block(table, data, protocol), row)!);
    expect(ours(1, 'US-SWE', 'linear classification')).toEqual([90.11, 82.43, 78.46]);
    expect(ours(1, 'BUSI', 'linear classification')).toEqual([82.02, 76.81, 62.46]);
    expect(ours(1, 'US-SWE', 'finetuning', 'CMC')).toEqual([91.1, 83.83, 79.66]);
    expect(ours(1, 'BUSI', 'finetuning', 'w/o pretrain')).toEqual([85.11, 79.29, 66.97]);
    expect(ours(1, 'Fundus-FFA', 'linear classification', 'DenseCL')).toEqual([84.27, 82.94, 58.69]);
    expect(ours(1, 'iChallenge-PM', 'linear classification', 'SimCLR')).toEqual([94.85, 83.54, 86.02]);
    expect(ours(1, 'Fundus-FFA', 'finetuning')).toEqual([88.58, 81.42, 62.5]);
    expect(ours(1, 'iChallenge-PM', 'finetuning')).toEqual([98.59, 91.35, 95.23]);
    expect(ours(2, 'US-SWE', 'linear classification', 'Global')).toEqual([87.89, 81.07, 79.7]);
    expect(ours(3, 'US-SWE', 'linear classification', 'KL')).toEqual([88.5, 81.79, 81.22]);
  });

  test('what the text says of them is right: Ours leads by 1.57, 0.58, 1.04 and 1.02', () => {
    const lead = (data: string, protocol: string) => {
      const { rows } = block(1, data, protocol);
      const others = Object.entries(rows).filter(([name]) => name !== 'Ours');
      return rows.Ours![0]! - Math.max(...others.map(([, [auc]]) => auc!));
    };
    const leads = ['US-SWE', 'Fundus-FFA'].flatMap((data) =>
      ['linear classification', 'finetuning'].map((protocol) => lead(data, protocol)),
    );
    [1.57, 0.58, 1.04, 1.02].forEach((told, i) => {
      expect(leads[i]).toBeCloseTo(told, 10);
    });
    // §3.2: transfer by 2.22, 0.33, 0.53, and 0.18 behind.
    expect(lead('BUSI', 'linear classification')).toBeCloseTo(2.22, 10);
    expect(lead('BUSI', 'finetuning')).toBeCloseTo(0.33, 10);
    expect(lead('iChallenge-PM', 'finetuning')).toBeCloseTo(0.53, 10);
    expect(lead('iChallenge-PM', 'linear classification')).toBeCloseTo(-0.18, 10);
  });

  test('InstDis of one modality is A or B in our words', () => {
    const row = (data: string, name: string) =>
      printedNumbers(block(1, data, 'linear classification'), name)!.AUC;
    expect([row('US-SWE', 'InstDis-A'), row('US-SWE', 'InstDis-B')]).toEqual([81.77, 85.85]);
    expect([row('Fundus-FFA', 'InstDis-A'), row('Fundus-FFA', 'InstDis-B')]).toEqual([83.22, 82.79]);
  });
});
