import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { cutBack, type JsonLine, JsonLinesWriter, readJsonLines } from '../../src/log/jsonLines.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jsonLines-'));
  path = join(folder, 'metrics.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

function writeLines(...lines: JsonLine[]): void {
  const writer = new JsonLinesWriter(path);
  for (const line of lines) writer.write(line);
  writer.close();
}

describe('JsonLinesWriter', () => {
  it('writes each line at once and appends', () => {
    const writer = new JsonLinesWriter(path);
    writer.write({ step: 1, loss: 0.5, skipped: undefined });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1,"loss":0.5}\n');
    writer.sync();
    writer.close();
    writeLines({ step: 2, loss: 0.25 });
    expect(readJsonLines(path)).toEqual([
      { step: 1, loss: 0.5 },
      { step: 2, loss: 0.25 },
    ]);
  });

  it('writes what JSON lacks as strings, at any depth', () => {
    writeLines({
      step: 3,
      loss: Number.NaN,
      terms: { up: Number.POSITIVE_INFINITY, down: [Number.NEGATIVE_INFINITY] },
    });
    expect(readFileSync(path, 'utf8')).toBe(
      '{"step":3,"loss":"NaN","terms":{"up":"Infinity","down":["-Infinity"]}}\n',
    );
    expect(readJsonLines(path)).toEqual([
      {
        step: 3,
        loss: Number.NaN,
        terms: { up: Number.POSITIVE_INFINITY, down: [Number.NEGATIVE_INFINITY] },
      },
    ]);
  });

  it('refuses a step that is no count, and a file with an unfinished line', () => {
    const writer = new JsonLinesWriter(path);
    for (const step of [-1, 0.5, Number.NaN]) expect(() => writer.write({ step })).toThrow(RangeError);
    writer.close();
    appendFileSync(path, '{"step":1,"lo');
    expect(() => new JsonLinesWriter(path)).toThrow(DataError);
    cutBack(path, 1);
    writeLines({ step: 1 });
    expect(readJsonLines(path)).toEqual([{ step: 1 }]);
  });

  it('gives any numbers and texts back', () => {
    const notANumberWord = fc.string().filter((text) => !/^(NaN|-?Infinity)$/.test(text));
    const value = fc.oneof(
      fc.double({ noDefaultInfinity: false }),
      notANumberWord,
      fc.boolean(),
      fc.constant(null),
    );
    const key = fc.string().filter((name) => name !== '__proto__' && name !== 'step');
    fc.assert(
      fc.property(fc.array(fc.dictionary(key, value, { noNullPrototype: true })), (records) => {
        rmSync(path, { force: true });
        const lines = records.map((record, step) => ({ ...record, step }));
        writeLines(...lines);
        const plusZero = (number: unknown) => (Object.is(number, -0) ? 0 : number);
        expect(readJsonLines(path)).toEqual(
          lines.map((line) =>
            Object.fromEntries(Object.entries(line).map(([name, item]) => [name, plusZero(item)])),
          ),
        );
      }),
      { numRuns: 50 },
    );
  });
});

describe('readJsonLines', () => {
  it('leaves out a torn last line, but takes a complete one without its newline', () => {
    writeFileSync(path, '{"step":1}\n{"step":2,"a"');
    expect(readJsonLines(path)).toEqual([{ step: 1 }]);
    writeFileSync(path, '{"step":1}\n{"step":2}');
    expect(readJsonLines(path)).toEqual([{ step: 1 }, { step: 2 }]);
    writeFileSync(path, '');
    expect(readJsonLines(path)).toEqual([]);
  });

  it.each(['nonsense', '{"loss":1}', '{"step":"1"}', '{"step":-1}', '3', 'null', '[1]', ''])(
    'names the line where %j stands',
    (bad) => {
      writeFileSync(path, `{"step":1}\n${bad}\n{"step":3}\n`);
      expect(() => readJsonLines(path)).toThrow(DataError);
      expect(() => readJsonLines(path)).toThrow(`${path}, line 2: expected a JSON object`);
    },
  );

  it('says that a file is missing', () => {
    expect(() => readJsonLines(path)).toThrow(`cannot read ${path}: ENOENT`);
  });
});

describe('cutBack', () => {
  it('keeps the lines up to the step byte for byte', () => {
    writeFileSync(path, '{"step":1, "x": 1.50}\n{"step":3}\n{"step":2}\n{"step":4}\n{"step":5,"lo');
    expect(cutBack(path, 2)).toEqual({ kept: 2, dropped: 3, repeated: 0, missing: 0 });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1, "x": 1.50}\n{"step":2}\n');
    expect(readdirSync(folder)).toEqual(['metrics.jsonl']);
  });

  it('ends the last kept line and leaves a good file untouched', () => {
    writeFileSync(path, '{"step":1}\n{"step":2}');
    expect(cutBack(path, 9)).toEqual({ kept: 2, dropped: 0, repeated: 0, missing: 7 });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n{"step":2}\n');
    const { ino } = statSync(path);
    expect(cutBack(path, 9)).toEqual({ kept: 2, dropped: 0, repeated: 0, missing: 7 });
    expect(statSync(path).ino).toBe(ino);
  });

  it('does nothing where there is no file, and can empty one', () => {
    expect(cutBack(path, 1)).toEqual({ kept: 0, dropped: 0, repeated: 0, missing: 1 });
    expect(readdirSync(folder)).toEqual([]);
    writeLines({ step: 1 }, { step: 2 });
    expect(cutBack(path, 0)).toEqual({ kept: 0, dropped: 2, repeated: 0, missing: 0 });
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('keeps one line for each step, and counts the steps that none tells', () => {
    writeLines({ step: 1, a: 1 }, { step: 3, a: 2 }, { step: 1, a: 3 }, { step: 3, a: 4 });
    expect(cutBack(path, 4)).toEqual({ kept: 2, dropped: 0, repeated: 2, missing: 2 });
    expect(readJsonLines(path)).toEqual([
      { step: 1, a: 1 },
      { step: 3, a: 2 },
    ]);
  });

  it('recovers from a crash at any byte', () => {
    writeLines({ step: 1, a: 'grün' }, { step: 2, a: 1 }, { step: 3, a: 2 });
    const whole = readFileSync(path);
    for (let length = 0; length <= whole.length; length += 1) {
      writeFileSync(path, whole.subarray(0, length));
      cutBack(path, 2);
      new JsonLinesWriter(path).close();
      const steps = readJsonLines(path).map(({ step }) => step);
      expect(steps).toEqual([1, 2].slice(0, steps.length));
    }
  });
});
