import { expect, test } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { networkWords } from '../../../src/report/source/runRecord.js';

test('the words of a network tell its branches', () => {
  expect(networkWords(resolveConfig({ set: ['model.width=0.25'] }))).toBe('vgg16_bn × 0.25');
  expect(networkWords(resolveConfig({ recipe: 'recommended' }))).toBe('2 branches of vgg16_bn × 0.5');
});
