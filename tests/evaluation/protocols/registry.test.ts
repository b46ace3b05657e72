import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  judgedKinds,
  labelProtocolNamed,
  protocolNamed,
  protocols,
  protocolsWith,
  refuseForeign,
  usualImages,
} from '../../../src/evaluation/protocols/registry.js';
import { flagName } from '../../../src/evaluation/protocols/settings.js';

describe('protocols', () => {
  test('refuse the settings of other protocols with the names of those that have them', () => {
    const refuse = (name: string, asked: Record<string, unknown>) => () =>
      refuseForeign(protocolNamed(name)!, asked);
    expect(refuse('linear', { batchNorm: 'train' })).toThrow(
      '--batch-norm is train, but evaluate linear has no such setting, only finetune; leave it out',
    );
    expect(refuse('knn', { preset: 'hu' })).toThrow(
      '--preset is hu, but evaluate knn has no such setting, only linear and finetune; leave it out',
    );
    expect(refuse('logreg', { k: 5 })).toThrow('--k is 5, but evaluate logreg has no such setting, only knn');
    expect(refuse('knn', { k: 5, preset: undefined, run: 'runs/first' })).not.toThrow();
  });

  test('a setting that two protocols have takes the same values', () => {
    const schemas = new Map<string, unknown>();
    for (const { settings } of protocols) {
      for (const [name, { schema }] of Object.entries(settings)) {
        const own = z.toJSONSchema(schema(z));
        expect(schemas.get(name) ?? own).toEqual(own);
        schemas.set(name, own);
      }
    }
  });

  test('give a setting that two of them have the same flag', () => {
    const flags = new Map<string, string>();
    for (const { settings } of protocols) {
      for (const [name, setting] of Object.entries(settings)) {
        expect(flags.get(name) ?? flagName(setting)).toBe(flagName(setting));
        flags.set(name, flagName(setting));
      }
    }
    expect(flags.get('learningRate')).toBe('--learning-rate');
    expect(flags.get('untrained')).toBe('--no-untrained');
  });

  test('judge all kinds and sets by default, but finetuning judges what its preset reads on all modalities', () => {
    const logreg = labelProtocolNamed('logreg')!;
    const finetune = labelProtocolNamed('finetune')!;
    expect(judgedKinds(logreg, {})).toEqual(['pooled', 'head']);
    expect(judgedKinds(finetune, {})).toEqual(['head']);
    expect(judgedKinds(finetune, { preset: 'simclr' })).toEqual(['pooled']);
    expect(judgedKinds(finetune, { features: 'both' })).toEqual(['pooled', 'head']);
    expect(judgedKinds(finetune, { features: 'all' })).toEqual(['pooled', 'head', 'maps']);
    expect(judgedKinds(logreg, { features: 'maps' })).toEqual(['maps']);
    expect(usualImages(logreg, ['a', 'b'])).toEqual(['a', 'b', 'a+b']);
    expect(usualImages(finetune, ['a', 'b'])).toEqual(['a+b']);
  });

  test('refuse a k with fewer samples to train on', () => {
    const { misfit } = labelProtocolNamed('knn')!;
    expect(misfit!({ k: 5 }, 5)).toBeUndefined();
    expect(misfit!({ k: 6 }, 5)).toEqual({ setting: 'k', value: 6, expected: '1 to 5' });
    expect(misfit!({}, 19)).toMatchObject({ value: 20 });
  });

  test('have no unknown setting', () => {
    expect(protocolsWith('epochs')).toEqual(['linear', 'finetune']);
    expect(protocolsWith('nothing')).toEqual([]);
  });
});
