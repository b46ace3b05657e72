import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import {
  readSafetensors,
  readSafetensorsHeader,
  type SafetensorsDtype,
  type SafetensorsEntry,
  writeSafetensors,
} from '../../src/export/safetensors.js';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
  path = join(folder, 'model.safetensors');
});
afterAll(() => rmSync(folder, { recursive: true }));

const bytesOf = (array: Float32Array | BigInt64Array) => new Uint8Array(array.buffer);

const example = new Map<string, SafetensorsEntry>([
  ['10', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 255) }],
  ['s', { dtype: 'BOOL', shape: [], data: Uint8Array.of(1) }],
  ['a', { dtype: 'F32', shape: [2, 3], data: bytesOf(Float32Array.of(0, 1, -2, 0.5, 1e-8, 3e38)) }],
  ['x.é', { dtype: 'U8', shape: [0, 4], data: new Uint8Array(0) }],
  ['b', { dtype: 'I64', shape: [2], data: bytesOf(BigInt64Array.of(-1n, 2n ** 40n)) }],
]);

/**
 * The example as Python's json and struct lay it out by the format's description (header padded, largest types
 * first).
 */
const golden = Buffer.from(
  '38010000000000007b225f5f6d657461646174615f5f223a7b22666f726d6174223a227074227d2c2262223a7b226474797065223a22493634' +
    '222c227368617065223a5b325d2c22646174615f6f666673657473223a5b302c31365d7d2c2261223a7b226474797065223a22463332222c' +
    '227368617065223a5b322c335d2c22646174615f6f666673657473223a5b31362c34305d7d2c223130223a7b226474797065223a22553822' +
    '2c227368617065223a5b335d2c22646174615f6f666673657473223a5b34302c34335d7d2c22782ec3a9223a7b226474797065223a225538' +
    '222c227368617065223a5b302c345d2c22646174615f6f666673657473223a5b34332c34335d7d2c2273223a7b226474797065223a22424f' +
    '4f4c222c227368617065223a5b5d2c22646174615f6f666673657473223a5b34332c34345d7d7dffffffffffffffff000000000001000000' +
    '0000000000803f000000c00000003f77cc2b32e6b1617f0102ff01',
  'hex',
);

/** A file from a header as text and some data, right or wrong. */
function write(header: string, dataBytes = 0, headerLength = Buffer.byteLength(header)): void {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerLength));
  writeFileSync(path, Buffer.concat([length, Buffer.from(header), Buffer.alloc(dataBytes)]));
}

function expectError(message: string | RegExp): void {
  for (const read of [readSafetensors, readSafetensorsHeader]) {
    expect(() => read(path)).toThrow(DataError);
    expect(() => read(path)).toThrow(path);
    expect(() => read(path)).toThrow(message);
  }
}

describe('a good file', () => {
  it('has the same bytes as the reference layout, whatever the order given', () => {
    writeSafetensors(path, example, { format: 'pt' });
    expect(readFileSync(path).toString('hex')).toBe(golden.toString('hex'));
    writeSafetensors(path, new Map([...example].reverse()), { format: 'pt' });
    expect(readFileSync(path).equals(golden)).toBe(true);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('is read with typed arrays in place', () => {
    writeFileSync(path, golden);
    const { tensors, metadata } = readSafetensors(path);
    expect(metadata).toEqual({ format: 'pt' });
    expect(new Map([...tensors].sort())).toEqual(new Map([...example].sort()));
    const a = tensors.get('a')!.data;
    expect([...new Float32Array(a.buffer, a.byteOffset, 4)]).toEqual([0, 1, -2, 0.5]);
  });

  it('tells its header alone', () => {
    writeFileSync(path, golden);
    const { tensors, metadata } = readSafetensorsHeader(path);
    expect(metadata).toEqual({ format: 'pt' });
    expect([...tensors.keys()]).toEqual(['b', 'a', '10', 'x.é', 's']);
    expect(tensors.get('a')).toEqual({ dtype: 'F32', shape: [2, 3], begin: 320 + 16, end: 320 + 40 });
  });

  it('may be empty', () => {
    writeSafetensors(path, new Map());
    expect(readSafetensors(path)).toEqual({ tensors: new Map(), metadata: {}, vouched: false });
  });

  it('comes back for any names, shapes and metadata', () => {
    const sizes: Record<SafetensorsDtype, number> = {
      F32: 4,
      F64: 8,
      F16: 2,
      BF16: 2,
      U8: 1,
      I64: 8,
      BOOL: 1,
    };
    const name = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('0', '7', '__proto__', 'constructor', '"', '\\', '\\"', '{', ',', 'dtype', ''),
    );
    const entry = fc
      .tuple(
        fc.constantFrom(...(Object.keys(sizes) as SafetensorsDtype[])),
        fc.array(fc.nat(4), { maxLength: 4 }),
      )
      .chain(([dtype, shape]) => {
        const length = shape.reduce((product, size) => product * size, sizes[dtype]);
        const data = fc.uint8Array({ minLength: length, maxLength: length });
        return data.map((bytes): SafetensorsEntry => ({ dtype, shape, data: bytes }));
      });
    const metadata = fc
      .array(fc.tuple(name, fc.string({ unit: 'binary' })))
      .map((pairs) => Object.fromEntries(pairs));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, entry), { maxLength: 6 }), metadata, (pairs, notes) => {
        const entries = new Map(pairs);
        writeSafetensors(path, entries, notes);
        const file = readSafetensors(path);
        expect(new Map([...file.tensors].sort())).toEqual(new Map([...entries].sort()));
        expect(Object.entries(file.metadata).sort()).toEqual(Object.entries(notes).sort());
        const bytes = readFileSync(path);
        expect(bytes.readBigUInt64LE(0) % 8n).toBe(0n);
        writeSafetensors(path, file.tensors, file.metadata);
        expect(readFileSync(path).equals(bytes)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe('writing', () => {
  it('refuses bytes that do not fit the shape and keeps the file that was there', () => {
    writeFileSync(path, golden);
    const entry: SafetensorsEntry = { dtype: 'F32', shape: [2], data: new Uint8Array(7) };
    expect(() => writeSafetensors(path, new Map([['w', entry]]))).toThrow(DataError);
    expect(() => writeSafetensors(path, new Map([['w', entry]]))).toThrow(
      '"w": F32 [2] takes 8 bytes, got 7',
    );
    expect(() => writeSafetensors(path, new Map([['w', { ...entry, shape: [-1] }]]))).toThrow('impossible');
    const empty: SafetensorsEntry = { dtype: 'U8', shape: [0], data: new Uint8Array(0) };
    expect(() => writeSafetensors(path, new Map([['__metadata__', empty]]))).toThrow(DataError);
    expect(readFileSync(path).equals(golden)).toBe(true);
  });
});

describe('a bad file is refused with what is wrong', () => {
  const tensor = (dtype: string, shape: string, begin: number, end: number) =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

  it.each<[string, string, number, string]>([
    ['text', 'hello', 0, 'not JSON'],
    ['an unclosed object', '{"a":', 0, 'not JSON'],
    ['an array', '[1]', 0, 'must be a JSON object, got [1]'],
    ['null', 'null', 0, 'must be a JSON object, got null'],
    ['a tensor that is a number', '{"w":3}', 0, 'tensor "w": expected { dtype, shape, data_offsets }, got 3'],
    [
      'an unknown dtype',
      `{"w":${tensor('F8', '[1]', 0, 1)}}`,
      1,
      'tensor "w": expected dtype to be one of I64, F64',
    ],
    ['a dtype of the object prototype', `{"w":${tensor('toString', '[1]', 0, 1)}}`, 1, 'got "toString"'],
    ['a negative size', `{"w":${tensor('U8', '[-1]', 0, 1)}}`, 1, 'tensor "w": expected shape'],
    ['a fractional size', `{"w":${tensor('U8', '[0.5]', 0, 1)}}`, 1, 'tensor "w": expected shape'],
    [
      'a size too large',
      `{"w":${tensor('F32', '[9007199254740991,9]', 0, 4)}}`,
      4,
      'an impossible number of bytes',
    ],
    [
      'no shape',
      '{"w":{"dtype":"U8","data_offsets":[0,1]}}',
      1,
      'expected shape to be whole numbers from 0, got nothing',
    ],
    ['three offsets', '{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}', 1, 'data_offsets to be two'],
    ['offsets reversed', `{"w":${tensor('U8', '[1]', 1, 0)}}`, 1, 'expected 1 bytes for U8 [1], got -1'],
    [
      'too few bytes for the shape',
      `{"w":${tensor('F32', '[2,3]', 0, 20)}}`,
      20,
      'expected 24 bytes for F32 [2,3], got 20',
    ],
    [
      'an overlap',
      `{"v":${tensor('U8', '[4]', 0, 4)},"w":${tensor('U8', '[4]', 2, 6)}}`,
      6,
      'tensor "w": overlaps the tensor before it',
    ],
    [
      'a gap',
      `{"v":${tensor('U8', '[4]', 0, 4)},"w":${tensor('U8', '[4]', 5, 9)}}`,
      9,
      'tensor "w": leaves a gap',
    ],
    ['a gap at the start', `{"w":${tensor('U8', '[4]', 8, 12)}}`, 12, 'tensor "w": leaves a gap'],
    ['a tensor outside', `{"w":${tensor('U8', '[9]', 0, 9)}}`, 8, 'it is truncated'],
    ['bytes left over', `{"w":${tensor('U8', '[9]', 0, 9)}}`, 10, 'the tensors end at byte'],
    [
      'a name twice',
      `{"w":${tensor('U8', '[1]', 0, 1)},"\\u0077":${tensor('U8', '[1]', 0, 1)}}`,
      1,
      'names "w" twice',
    ],
    [
      'a field twice',
      '{"w":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      0,
      'names "dtype" twice',
    ],
    [
      'metadata that is no text',
      '{"__metadata__":{"a":1}}',
      0,
      '__metadata__ must map names to strings, got {"a":1}',
    ],
    ['metadata that is a list', '{"__metadata__":["a"]}', 0, '__metadata__ must map names to strings'],
  ])('%s', (_what, header, dataBytes, message) => {
    write(header, dataBytes);
    expectError(message);
  });

  it('a wrong header length', () => {
    write('{}', 0, 3);
    expectError('the header claims 3 bytes, the file has 10');
    writeFileSync(path, Buffer.alloc(20, 0xff));
    expectError('the header claims 18446744073709551615 bytes');
    write('{}', 0, 0);
    expectError('not JSON');
  });

  it('bytes that are not UTF-8', () => {
    writeFileSync(
      path,
      Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"\xff"', 'latin1')]),
    );
    expectError('not JSON in UTF-8');
  });

  it('very deep nesting', () => {
    write('['.repeat(200_000));
    expectError('not JSON');
  });

  it('no file, or a folder', () => {
    expect(() => readSafetensors(join(folder, 'absent'))).toThrow(DataError);
    expect(() => readSafetensors(join(folder, 'absent'))).toThrow('ENOENT');
    expect(() => readSafetensors(folder)).toThrow(DataError);
  });

  it('any truncation', () => {
    for (let length = 0; length < golden.length; length += 1) {
      writeFileSync(path, golden.subarray(0, length));
      expect(() => readSafetensors(path)).toThrow(DataError);
    }
  });

  it('any damage, unless what remains is a good file', () => {
    const damage = fc.array(fc.tuple(fc.nat(golden.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
    });
    const digits = fc.array(
      fc.tuple(fc.integer({ min: 8, max: 319 }), fc.constantFrom(...Buffer.from('0123459-e.,"[]{}'))),
    );
    let refused = 0;
    fc.assert(
      fc.property(fc.oneof(damage, digits), fc.nat(20), (changes, extra) => {
        const bytes = Buffer.concat([golden, Buffer.alloc(Math.max(0, extra - 15))]);
        for (const [at, value] of changes) bytes[at] = value;
        writeFileSync(path, bytes);
        try {
          const { tensors } = readSafetensors(path);
          const total = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
          expect(total).toBe(bytes.length - 8 - Number(bytes.readBigUInt64LE(0)));
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
          refused += 1;
        }
      }),
      { numRuns: 600 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});
