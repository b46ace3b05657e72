import { expect, test } from 'vitest';
import { checkProtocols } from '../../../src/experiments/file/checkProtocols.js';
import { experimentProtocols } from '../../../src/experiments/file/protocols.js';

const evaluation = { seed: 0, replicates: 2000 };
const protocols = (...entries: Parameters<typeof experimentProtocols>[0]) =>
  experimentProtocols(entries, 'file');

/** Makes data with these labels, one sample for each subject, in two folds by turns; `aside` of them are set aside. */
function folded(labels: readonly (string | undefined)[], aside = 0) {
  const samples = labels.map((label, i) => ({ id: `${i}`, subject: `p${i}`, images: {}, label }));
  const folds = Object.fromEntries(
    samples.map(({ id }, i) => [id, i < aside ? ('set-aside' as const) : (i >> 1) % 2]),
  );
  return { dataset: { name: 'pairs', modalities: ['a', 'b'], samples }, splits: { k: 2, folds } };
}
const labels = Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 'none' : 'tumor'));

test('checkProtocols refuses more neighbours than a fold has labelled samples to train on', () => {
  const check = (k: number | undefined, labelFraction?: number, data = folded(labels)) =>
    checkProtocols({ name: 'two', protocols: protocols({ protocol: 'knn', k, labelFraction }), evaluation }, [
      data,
    ]);
  expect(() => check(8)).not.toThrow();
  expect(() => check(9)).toThrow('two: protocol knn: k is 9, expected 1 to 8, as so many labelled samples');
  // A default value is checked like one that was asked for.
  expect(() => check(undefined)).toThrow('k is 20, expected 1 to 8');
  expect(() => check(5, 0.25)).toThrow('protocol knn labels 0.25: k is 5, expected 1 to 4');
  expect(() => check(7, undefined, folded(labels, 4))).toThrow('k is 7, expected 1 to 6');
});

test('checkProtocols refuses data without labels, further data too, unless only pairs judges it', () => {
  const none = folded(labels.map(() => undefined));
  const logreg = protocols({ protocol: 'logreg' });
  const set = { name: 'BUSI', protocols: logreg, evaluation };
  expect(() => checkProtocols({ name: 'two', protocols: logreg, evaluation }, [none])).toThrow(
    /^two: protocol logreg: pairs: no sample has a label.* Of all protocols pairs alone does without labels\.$/,
  );
  const pairs = { name: 'two', protocols: protocols({ protocol: 'pairs' }), evaluation };
  expect(() => checkProtocols(pairs, [none])).not.toThrow();
  expect(() => checkProtocols(pairs, [none, { ...none, set }])).toThrow(
    'two: protocol logreg on BUSI: pairs:',
  );
});

test('checkProtocols refuses a fold that leaves a class out of its training samples, however few labels are asked for', () => {
  const few = protocols({ protocol: 'logreg', labelFraction: 0.1 });
  // Both tumors are tested in the first fold.
  const data = folded(['none', 'none', 'none', 'none', 'tumor', 'tumor', 'none', 'none']);
  expect(() => checkProtocols({ name: 'two', protocols: few, evaluation }, [data])).toThrow(
    'two: protocol logreg labels 0.1 (labelFraction 0.1): fold 0: no training sample is "tumor"',
  );
  const both = folded(labels);
  expect(() => checkProtocols({ name: 'two', protocols: few, evaluation }, [both])).not.toThrow();
});
