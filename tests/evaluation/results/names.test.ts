import { describe, expect, test } from 'vitest';
import {
  baselineMeaning,
  exposureName,
  featuresName,
  imagesName,
  metricHeading,
  metricName,
  metricOfClasses,
  modalitiesName,
  protocolName,
  protocolOf,
  shortFeatures,
  sourceName,
} from '../../../src/evaluation/results/names.js';

describe('the names of things', () => {
  test('a protocol is named with its preset and its share of the labels', () => {
    expect(protocolName('logreg')).toBe('logistic regression (primary probe)');
    expect(protocolName('logreg labels 0.1')).toBe('logistic regression, 10 % of the training labels');
    expect(protocolName('linear moco labels 0.025')).toBe(
      'linear probe as MoCo’s, 2.5 % of the training labels',
    );
    expect(protocolName('finetune hu')).toBe('finetuning of the whole encoder (preset hu)');
  });

  test('an evaluation and an experiment call the same protocol the same', () => {
    const labels = { fraction: 0.1, samples: [] };
    expect(protocolOf({ protocol: 'linear', preset: 'moco', labels })).toBe(
      protocolName('linear moco labels 0.1'),
    );
    // Earlier versions had one preset of the linear probe and did not name it.
    expect(protocolOf({ protocol: 'linear', preset: 'hu' })).toBe(protocolOf({ protocol: 'linear' }));
    expect(protocolOf({ protocol: 'knn', setAside: true })).toBe(
      'k nearest neighbours, on the samples set aside',
    );
  });

  test('a metric is named with its class where it is of one', () => {
    expect(metricName('macroAuc')).toBe('macro AUC');
    expect(metricHeading('macroAuc')).toBe('Macro AUC');
    expect(metricOfClasses('f1', ['benign', 'malignant'])).toBe('F1 (malignant)');
    expect(metricOfClasses('accuracy', ['benign', 'malignant'])).toBe('accuracy');
    expect(metricOfClasses('brier', ['a', 'b', 'c'])).toBe('Brier score (sum over classes)');
  });

  test('modalities of one letter are capitals, and longer ones stay', () => {
    expect(imagesName('a+b')).toBe('A+B');
    expect(modalitiesName(['fundus', 'b'])).toBe('fundus+B');
  });

  test('rows and features have a name, and a short one for columns', () => {
    expect(sourceName('untrained')).toBe('untrained, calibrated');
    expect(baselineMeaning.untrained).toBe('the same encoder untrained');
    expect([featuresName('pooled'), shortFeatures('pooled')]).toEqual(['pooled features', 'pooled']);
    expect([featuresName('maps'), shortFeatures('maps')]).toEqual([
      'features of the last three maps',
      'last three maps',
    ]);
    expect([featuresName('map3'), shortFeatures('pixels')]).toEqual(['map 3', '12×12']);
  });

  test('a name that is not known stands for itself', () => {
    const unknown = [protocolName, metricName, featuresName, shortFeatures, exposureName];
    expect(unknown.map((name) => name('my own'))).toEqual(unknown.map(() => 'my own'));
    expect(protocolName('my own labels 0.5')).toBe('my own, 50 % of the training labels');
    expect(protocolOf({ protocol: 'linear', preset: 'mine' } as never)).toBe('linear mine');
  });
});
