import { describe, expect, it } from 'vitest';
import { classNames, positiveClass } from '../../../src/data/open/labels.js';

const labelled = (...labels: (string | undefined)[]) => labels.map((label) => ({ label }));

describe('classNames', () => {
  it('does not depend on the order of the samples, and sorts numbers as numbers', () => {
    expect(classNames(labelled('none', undefined, 'tumor', 'none'))).toEqual(['none', 'tumor']);
    expect(classNames(labelled('tumor', 'none'))).toEqual(['none', 'tumor']);
    expect(classNames(labelled('10', '9', '2'))).toEqual(['2', '9', '10']);
    expect(classNames(labelled(undefined))).toEqual([]);
  });
});

describe('positiveClass', () => {
  it.each([
    [['0', '1'], '1'],
    [['True', 'False'], 'True'],
    [['benign', 'Malignant'], 'Malignant'],
    [['none', 'tumor'], 'tumor'],
    [['P', 'N'], 'P'],
    [['none', 'lesion'], 'lesion'],
    [['Stroke', 'Healthy'], 'Stroke'],
    [['benign', 'suspicious'], 'suspicious'],
  ])('of %j is %s', (labels, positive) => {
    expect(positiveClass(labelled(...labels, undefined))).toBe(positive);
  });

  it('is what was asked for', () => {
    expect(positiveClass(labelled('0', '1'), '0')).toBe('0');
    expect(positiveClass(labelled('x', 'y', 'z'), 'z')).toBe('z');
    expect(() => positiveClass(labelled('none', 'tumor'), 'tumour')).toThrow(
      '--positive is "tumour", but the classes are "none", "tumor". Did you mean "tumor"?',
    );
    expect(() => positiveClass(labelled(undefined), 'tumor')).toThrow('carry no labels');
  });

  it('is not guessed: two classes that leave it open are an error that lists them', () => {
    expect(() => positiveClass(labelled('left', 'right'))).toThrow('"left", "right"');
    expect(() => positiveClass(labelled('1', 'true'))).toThrow('cannot be told');
    expect(() => positiveClass(labelled('normal', 'none'))).toThrow('cannot be told');
  });

  it('is undefined without labels and with one or three classes', () => {
    expect(positiveClass(labelled(undefined))).toBeUndefined();
    expect(positiveClass(labelled('1'))).toBeUndefined();
    expect(positiveClass(labelled('1', '2', '3'))).toBeUndefined();
  });
});
