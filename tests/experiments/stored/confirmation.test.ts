import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatTable } from '../../../src/experiments/print/formatTable.js';
import { setAsideProtocols } from '../../../src/experiments/run/runExperiment.js';
import { readConfirmation, recordLook } from '../../../src/experiments/stored/confirmation.js';
import { experimentPaths, pretrainingId, readCell } from '../../../src/experiments/stored/folder.js';
import { bestRow, experimentTable } from '../../../src/experiments/table/experimentTable.js';
import { temporaryFolder } from '../../training/tiny.js';
import { LABELS, protocols, storeCells, storeExperiment } from '../storedCells.js';

const cell = (id: string, steps = 600, more = {}) => ({
  id,
  settings: { pretraining: { training: { steps } }, evaluation: { protocol: 'logreg', ...more } },
});
const at = (day: number) => new Date(Date.UTC(2026, 0, day));

describe('the record', () => {
  test('is made at the first look and does not change with the same look again', () => {
    const root = temporaryFolder('anatomy-confirmation-');
    expect(readConfirmation(root)).toBeUndefined();
    const first = recordLook(root, [cell('ours/a'), cell('other/a')], ['other', 'untrained'], at(1));
    expect(first.looks).toMatchObject([
      { at: '2026-01-01T00:00:00.000Z', against: ['other', 'untrained'], changes: [] },
    ]);
    expect(recordLook(root, [cell('ours/a'), cell('other/a')], ['other', 'untrained'], at(2))).toEqual(first);
    // A value that JSON cannot hold is no change.
    const same = [cell('ours/a', 600, { folds: undefined }), cell('other/a')];
    expect(recordLook(root, same, ['other', 'untrained'], at(3))).toEqual(first);
    expect(readConfirmation(root)).toEqual(first);
  });

  test('contains no folders, and is the same look where the data lie elsewhere', () => {
    const root = temporaryFolder('anatomy-confirmation-');
    const on = (path: string) => [
      { id: 'ours/a', settings: { pretraining: { data: { path, splits: `${path}/../splits.json` } } } },
    ];
    recordLook(root, on('/home/name/pairs.csv'), ['other'], at(1));
    expect(readFileSync(experimentPaths(root).confirmation, 'utf8')).not.toContain('/home');
    expect(recordLook(root, on('/data/pairs.csv'), ['other'], at(2)).looks).toHaveLength(1);
  });

  test('keeps a later look with other settings beside the first, with what changed', () => {
    const root = temporaryFolder('anatomy-confirmation-');
    recordLook(root, [cell('ours/a'), cell('old/a')], ['old'], at(1));
    const { looks } = recordLook(root, [cell('ours/a', 700), cell('new/a')], ['new'], at(2));
    expect(looks).toHaveLength(2);
    expect(looks[0].at).toBe('2026-01-01T00:00:00.000Z');
    expect(looks[1]!.changes).toEqual([
      'compared with new instead of old',
      'ours/a: pretraining.training.steps: 600 → 700',
      'old/a: left out',
      'new/a: new',
    ]);
    expect(looks[1]!.digest).not.toBe(looks[0].digest);
  });

  test('is not replaced when it is damaged', () => {
    const root = temporaryFolder('anatomy-confirmation-');
    recordLook(root, [cell('ours/a')], ['untrained'], at(1));
    writeFileSync(experimentPaths(root).confirmation, '{');
    expect(() => recordLook(root, [cell('ours/a')], ['untrained'], at(2))).toThrow(
      'damaged (it is not JSON); copy it again',
    );
  });
});

describe('the table', () => {
  const scores = LABELS.map((label, i) => (label === 'tumor' ? 0.8 : 0.2) + i * 1e-3);
  const blind = LABELS.map(() => 0.5);
  const row = (name: string) => ({ name, folder: name, candidates: [{ name, folder: name }] });

  function confirmable(): string {
    const root = temporaryFolder('anatomy-confirmation-');
    storeExperiment(root, {
      rows: ['ours', 'other', 'third'].map(row),
      compare: { reference: 'ours', against: ['other', 'third'] },
      setAside: { reference: 'ours', against: ['best', 'untrained'] },
    });
    for (const name of ['ours', 'other', 'third']) storeCells(root, name, { auc: 0.7 });
    return root;
  }

  test('of the development data shows nothing of what is set aside', () => {
    const root = confirmable();
    const before = experimentTable(root);
    storeCells(root, 'ours', {
      auc: 0.123,
      name: { setAside: true },
      predictions: { run: scores, untrained: blind, thumbnail: blind },
    });
    recordLook(root, [cell('ours/seed-0/logreg-set-aside')], ['other', 'untrained'], at(1));
    expect(experimentTable(root)).toEqual(before);
    expect(formatTable(before, 'markdown')).not.toMatch(/0\.123|[Ss]et aside/);
  });

  test('of what is set aside has only the compared rows, the time of the first look, and later looks', () => {
    const root = confirmable();
    expect(() => experimentTable(root, { confirm: true })).toThrow(
      'what is set aside has not been judged; anatomy experiment run … --confirm judges it, once',
    );
    for (const [name, own] of [
      ['ours', scores],
      ['other', blind],
    ] as const) {
      storeCells(root, name, {
        auc: 0.9,
        name: { setAside: true },
        predictions: { run: own, untrained: blind, thumbnail: blind },
      });
    }
    const cells = ['ours', 'other'].map((name) => ({
      id: `${name}/seed-0/logreg-set-aside`,
      settings: { pretraining: readCell(root, pretrainingId(name, 0))!.settings },
    }));
    recordLook(root, cells, ['other', 'untrained'], at(1));
    const table = experimentTable(root, { confirm: true });
    expect(table.parts[0]!.rows.map(({ name }) => name)).toEqual([
      ...['ours', 'other', 'untrained, calibrated', 'thumbnail ridge, 12×12'],
    ]);
    expect(table.family!.comparisons.map(({ against }) => against)).toEqual(['other', 'untrained']);
    expect([table.missing, table.expected]).toEqual([[], 2]);
    expect(table.confirmation!.outdated).toEqual([]);
    const text = formatTable(table, 'markdown');
    expect(text).toContain('**Confirmatory: the samples that were set aside**');
    expect(text).toContain('First judged 2026-01-01 00:00 UTC');
    expect(text).not.toContain('Judged again');
    expect(text).toMatch(/\| untrained +\| \+.* \| < 0\.001 \| 0\.002 +\|/);
    const floats = formatTable(table, 'latex');
    expect(floats).toContain('$<$ 0.001 & 0.002');
    expect(floats).toContain('40 samples of 80 subjects, set aside.');
    expect(text).not.toContain('Not of the encoders');
    storeCells(root, 'ours', { auc: 0.8, steps: 4400 });
    expect(experimentTable(root, { confirm: true }).confirmation!.outdated).toEqual([
      'ours/seed-0: training.steps: 600 → 4400',
    ]);
    expect(formatTable(experimentTable(root, { confirm: true }), 'markdown')).toContain(
      'pretrained anew since, with other settings (ours/seed-0: training.steps: 600 → 4400)',
    );
    recordLook(root, cells.slice(0, 1), ['other', 'untrained'], at(5));
    expect(formatTable(experimentTable(root, { confirm: true }), 'latex')).toContain(
      'Judged again 2026-01-05 00:00 UTC with other settings',
    );
  });

  test('takes the best of the others from those that can be judged there', () => {
    const root = confirmable();
    storeCells(root, 'third', { auc: 0.9, predictions: { run: scores, untrained: blind, thumbnail: blind } });
    storeCells(root, 'other', { auc: 0.8, predictions: { run: scores, untrained: blind, thumbnail: blind } });
    storeCells(root, 'ours', { auc: 0.7, predictions: { run: blind, untrained: blind, thumbnail: blind } });
    const family = { reference: 'ours', against: ['best'] };
    expect(bestRow(root, family, ['ours', 'other', 'third'])).toBe('third');
    // A row with one encoder for each fold, for example, cannot be judged there.
    expect(bestRow(root, family, ['ours', 'other'])).toBe('other');
  });

  test('also has the protocol there that candidates are chosen by', () => {
    const candidate = (name: string) => ({ name, folder: name, configs: [] });
    const rows = [
      { name: 'ours', folder: 'ours', fold: 'none', candidates: [candidate('1'), candidate('2')] },
      { name: 'plain', folder: 'plain', fold: 'none', candidates: [candidate('plain')] },
    ] as const;
    const experiment = { rows, protocols: protocols('logreg', 'linear') };
    const named = (asked: readonly string[], features?: 'pooled', protocol = 'linear') =>
      setAsideProtocols(experiment, { reference: 'ours', against: [], protocol, features }, asked).map(
        ({ slug }) => slug,
      );
    expect(named(['ours'])).toEqual(['linear', 'logreg']);
    expect(named(['plain'])).toEqual(['linear']);
    expect(named(['ours'], undefined, 'logreg')).toEqual(['logreg']);
  });

  test('needs an experiment that sets samples aside', () => {
    const root = temporaryFolder('anatomy-confirmation-');
    storeExperiment(root);
    expect(() => experimentTable(root, { confirm: true })).toThrow('says nothing of setAside');
  });
});
