import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { PhantomOptions, parsePhantomName } from '../../src/phantoms/phantomName.js';

describe('parsePhantomName', () => {
  it('takes the name apart', () => {
    expect(parsePhantomName('phantom:breast')).toEqual({ family: 'breast', options: {} });
    expect(parsePhantomName('phantom:breast,pairs=400,seed=0')).toEqual({
      family: 'breast',
      options: { pairs: '400', seed: '0' },
    });
  });

  it('gives back every family and option that a name was made of', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
    const value = fc.stringMatching(/^[^,\n\r\u2028\u2029]{1,10}$/);
    fc.assert(
      fc.property(word, fc.dictionary(word, value, { noNullPrototype: true }), (family, options) => {
        const parts = Object.entries(options).map(([key, text]) => `,${key}=${text}`);
        expect(parsePhantomName(`phantom:${family}${parts.join('')}`)).toEqual({ family, options });
      }),
    );
  });

  it('refuses everything else with a UsageError and never another error', () => {
    for (const name of [
      'phantom:',
      'phantom:,',
      'phantom:breast,',
      'phantom:breast,pairs',
      'phantom:breast,=4',
      'x',
    ]) {
      expect(() => parsePhantomName(name), name).toThrow(UsageError);
    }
    expect(() => parsePhantomName('phantom:breast,seed=1,seed=2')).toThrow('seed is given twice');
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parsePhantomName(`phantom:${text}`);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});

describe('PhantomOptions', () => {
  const options = (text: string) => new PhantomOptions(parsePhantomName(`phantom:breast,${text}`));

  it('converts what is written and leaves out what is not', () => {
    expect(options('pairs=400').integer('pairs')).toBe(400);
    expect(options('difficulty=.5').number('difficulty')).toBe(0.5);
    expect(options('overlay=false').boolean('overlay')).toBe(false);
    expect(options('task=amd').word('task', ['pm', 'amd'])).toBe('amd');
    expect(options('classes=normal+amd').words('classes')).toEqual(['normal', 'amd']);
    expect(options('pairs=1').word('task', ['pm', 'amd'])).toBeUndefined();
    expect(options('pairs=1').words('classes')).toBeUndefined();
    expect(options('pairs=1').integer('seed')).toBeUndefined();
    expect(options('pairs=1').boolean('toString')).toBeUndefined();
  });

  it('names option, value and expectation', () => {
    expect(() => options('pairs=3.5').integer('pairs')).toThrow('pairs is "3.5", expected a whole number');
    expect(() => options('difficulty=hard').number('difficulty')).toThrow(
      'difficulty is "hard", expected a number',
    );
    expect(() => options('overlay=yes').boolean('overlay')).toThrow(
      'overlay is "yes", expected true or false',
    );
    expect(() => options('task=dr').word('task', ['pm', 'amd'])).toThrow('task is "dr", expected pm or amd');
  });

  it('refuses options that nothing asked for, naming the nearest', () => {
    const given = options('pair=3');
    given.integer('pairs');
    given.integer('seed');
    expect(() => given.refuseUnknown()).toThrow(
      'phantom:breast has no option "pair"; it has pairs, seed. Did you mean "pairs"?',
    );
  });
});
