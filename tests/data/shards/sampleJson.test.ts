import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSampleJson } from '../../../src/data/shards/sampleJson.js';

function read(text: string | Buffer) {
  const problems: string[] = [];
  const json = readSampleJson({ name: '1.json', content: Buffer.from(text) }, (one) => problems.push(one));
  return { json, problems };
}

describe('readSampleJson', () => {
  test('takes Python’s NaN as null, and leaves it in texts', () => {
    const text = '{"subject": "P1", "age": NaN, "list": [NaN,NaN], "note": "NaN \\" NaN", "NaN": NaN}';
    expect(read(text)).toEqual({
      json: { subject: 'P1', age: null, list: [null, null], note: 'NaN " NaN', NaN: null },
      problems: [],
    });
  });

  test.each([
    '',
    '{',
    '{"a": Infinity}',
    '{"a": -Infinity}',
    '{"a": -NaN}',
    '{"a": NaN1}',
    "{'a': 1}",
    '[]',
    'NaN',
    '"x"',
    '7',
    '{"a":1,"a":2}',
  ])('refuses %j by the name of the member', (text) => {
    expect(read(text).problems).toEqual([expect.stringContaining('1.json: ')]);
  });

  test('refuses text that is not UTF-8', () => {
    expect(read(Buffer.from('{"subject": "Müller"}', 'latin1')).problems).toEqual([
      '1.json: cannot be read as JSON: the text is not UTF-8',
    ]);
  });

  test('reads any texts back, with NaN between them', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })),
        (values) => {
          const pairs = Object.entries(values).map(([k, v]) => `${JSON.stringify(k)}: ${JSON.stringify(v)}`);
          const { json, problems } = read(`{${[...pairs, '"\\u0000gap": NaN'].join(', ')}}`);
          expect(problems).toEqual([]);
          expect(Object.entries(json)).toEqual(
            expect.arrayContaining([...Object.entries(values), ['\0gap', null]]),
          );
        },
      ),
    );
  });
});
