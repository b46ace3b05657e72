import { describe, expect, it } from 'vitest';
import { checkModalityNames, chosenModalities, settleMissing } from '../../../src/data/open/modalityNames.js';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import type { ImageSource } from '../../../src/data/sample.js';
import { DataError, UsageError } from '../../../src/errors.js';

const image: ImageSource = { kind: 'file', path: '/x.png' };
const dataset = (modalities: readonly string[], ...has: readonly (readonly string[])[]) => ({
  name: 'set',
  modalities,
  samples: has.map((own, i) => ({
    id: String(i),
    subject: String(i),
    images: Object.fromEntries(own.map((modality) => [modality, image])),
  })),
});

describe('names of modalities', () => {
  it.each([
    ['id', 'is a role of a column'],
    ['label', 'is a role of a column'],
    ['a+b', 'has "+" in it'],
    ['a/b', 'has "/" in it'],
    ['a,b', 'has "," in it'],
    ['a=b', 'has "=" in it'],
    ['a\\b', 'has a backslash in it'],
    ['t1\u0007', 'has a character that is not shown'],
    ['t1\u202e', 'has a character that is not shown'],
    [' t1', 'has a space at its end'],
    ['', 'is empty'],
    ['any', 'cannot name a modality'],
    ['__proto__', 'cannot name a modality'],
    // JavaScript would put a whole number before all other names of a sample's images.
    ['1', 'cannot name a modality'],
  ])('refuse %j', (name, why) => {
    expect(() => checkModalityNames(['flair', name], '--modalities')).toThrow(UsageError);
    expect(() => checkModalityNames(['flair', name], '--modalities')).toThrow(why);
  });

  it('are taken as they are, once', () => {
    checkModalityNames(['flair', 'T1 Gd', 'ADC-map', 'μCT', '2d'], '--modalities');
    expect(() => checkModalityNames(['t1', 't1'], '--modalities')).toThrow('"t1" is named twice');
  });
});

describe('a choice of modalities', () => {
  it('keeps them in the order asked for, and leaves out samples that have none of them', () => {
    const warnings: string[] = [];
    const set = { ...dataset(['a', 'b', 'c'], ['a', 'b', 'c'], ['b'], ['c', 'a']), colourCoded: ['b', 'c'] };
    const chosen = chosenModalities(set, ['c', 'a'], (text) => warnings.push(text));
    expect(chosen).toMatchObject({ modalities: ['c', 'a'], colourCoded: ['c'] });
    expect(chosen.samples.map(({ id, images }) => `${id}: ${Object.keys(images)}`)).toEqual([
      '0: c,a',
      '2: c,a',
    ]);
    expect(warnings).toEqual(['set: 1 of 3 samples is left out, as it has no image of c, a.']);
    expect(chosenModalities(set, undefined)).toBe(set);
  });

  it('applies to phantoms, whose modalities are listed where one is unknown', async () => {
    const open = (spec: Partial<DatasetSpec>) => openDataset({ path: 'phantom:breast,pairs=2', ...spec });
    const { modalities, samples, simulated } = await open({ modalities: ['b'] });
    expect({ modalities, simulated }).toEqual({ modalities: ['b'], simulated: ['b'] });
    expect(Object.keys(samples[0]!.images)).toEqual(['b']);
    await expect(open({ modalities: ['flair'] })).rejects.toThrow(
      'phantom:breast has no modality "flair"; it has a, b.',
    );
    await expect(open({ modalities: ['a', 'a'] })).rejects.toThrow('--modalities: "a" is named twice');
  });
});

describe('missing images', () => {
  const told = (...args: Parameters<typeof dataset>) => {
    const warnings: string[] = [];
    settleMissing(dataset(...args), (text) => warnings.push(text));
    return warnings.join();
  };

  it('are told once, with counts for each modality and of what is complete', () => {
    expect(told(['a', 'b'], ['a', 'b'])).toBe('');
    expect(told(['a', 'b'], ['a', 'b'], ['a'], ['a'])).toContain('2 of 3 samples lack b; 1 is complete.');
    expect(told(['a', 'b', 'c'], ['a'], ['b', 'c'])).toContain(
      '1 of 2 samples lacks a, 1 lacks b, 1 lacks c; none is',
    );
    expect(told(['a', 'toString'], ['a', 'toString'], ['a'])).toContain('1 of 2 samples lacks toString');
  });

  it('of a whole modality are an error that says how to leave it out', () => {
    expect(() => told(['flair', 't1', 't1c'], ['flair', 't1'], ['t1'])).toThrow(
      new DataError(
        'set: none of its 2 samples has an image of t1c. Add images, or leave the modality out: --modalities flair t1.',
      ),
    );
    expect(told(['a', 'b'])).toBe('');
  });
});
