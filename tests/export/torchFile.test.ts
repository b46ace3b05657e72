import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DataError } from '../../src/errors.js';
import { readPickle } from '../../src/export/pickle.js';
import type { SafetensorsEntry } from '../../src/export/safetensors.js';
import { toTensors } from '../../src/export/stateFile.js';
import { isTorchFile, readBytes, readTorchFile } from '../../src/export/torchFile.js';
import { tidy } from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { numbers, temporaryFolder } from '../training/tiny.js';

const contentOf = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../golden/weights/${name}`, import.meta.url)));
const open = (name: string) => readTorchFile(name, contentOf(name));

/** Holds tensor i of a file against values(shape, i) of the script that wrote it. */
function expectFormula(entries: ReadonlyMap<string, SafetensorsEntry>, tolerance: number): void {
  tidy(() => {
    for (const [seed, [name, tensor]] of [...toTensors('x', entries)].entries()) {
      if (tensor.dtype === 'i64') expect(numbers(tensor), name).toEqual([seed]);
      else expect(relativeError(numbers(tensor), values(tensor.shape, seed)), name).toBeLessThan(tolerance);
    }
  });
}

describe('files of torch.save', () => {
  test('give the state dict inside a checkpoint, row-major whatever the strides are, half precision too', () => {
    const entries = open('resnet18.pth');
    expect([...entries.keys()].slice(0, 3)).toEqual([
      'module.conv1.weight',
      'module.bn1.weight',
      'module.bn1.bias',
    ]);
    expect(entries.size).toBe(122);
    expect(entries.get('module.layer4.1.conv2.weight')).toMatchObject({ dtype: 'F16', shape: [8, 8, 3, 3] });
    expectFormula(new Map([...entries].filter(([name]) => !name.includes('.fc.'))), 1e-3);
  });

  test('of the form before PyTorch 1.6 are read too, and parameters', () => {
    const entries = open('vgg16-old.pth');
    expect(entries.size).toBe(27);
    expect(entries.get('classifier.6.bias')?.shape).toEqual([3]);
    entries.delete('classifier.6.bias');
    expectFormula(entries, 1e-7);
  });

  test('that name code are refused by its name, and nothing of it is run', () => {
    for (const name of ['hostile.pth', 'hostile-old.pth']) {
      expect(() => open(name)).toThrow(
        new DataError(
          `${name}: names posix.system, which is code and no weights; nothing of it was run. Save the weights alone, in Python: torch.save(model.state_dict(), "weights.pth")`,
        ),
      );
    }
    expect(existsSync('/tmp/anatomy-ssl-hostile')).toBe(false);
    expect(() => open('whole-network.pth')).toThrow(
      /names torch\.nn\.modules\.linear\.Linear, which is code/,
    );
  });

  test('are told by their first bytes from safetensors', () => {
    for (const name of ['resnet18.pth', 'vgg16-old.pth']) expect(isTorchFile(contentOf(name))).toBe(true);
    // The length of a safetensors header may begin with the byte of a pickle.
    expect(isTorchFile(Uint8Array.from([0x80, 0x02, 0, 0, 0, 0, 0, 0, 0x7b]))).toBe(false);
    expect(isTorchFile(new Uint8Array(3))).toBe(false);
  });

  test('that are damaged give an error that says so, or what they still hold', () => {
    const files = ['resnet18.pth', 'vgg16-old.pth'].map(contentOf);
    const damage = fc.record({
      file: fc.constantFrom(...files),
      cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      changes: fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(255)), {
        maxLength: 4,
      }),
    });
    fc.assert(
      fc.property(damage, ({ file, cut, changes }) => {
        const broken = file.slice(0, cut === null ? file.length : Math.max(4, Math.floor(cut * file.length)));
        for (const [place, byte] of changes) broken[Math.max(4, Math.floor(place * broken.length))] = byte;
        try {
          const entries = readTorchFile('x', broken);
          for (const { data } of entries.values()) expect(data.length).toBeLessThan(20_000);
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 300 },
    );
    expect(() => readTorchFile('x', files[0]!.slice(0, 9000))).toThrow(/x: is truncated/);
    expect(() => readTorchFile('x', files[1]!.slice(0, -5))).toThrow(/x: its storages do not have the sizes/);
  });
});

describe('a pickle', () => {
  const latin = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const read = (text: string) =>
    readPickle(latin(text), {
      where: 'x',
      globals: new Map([['m.pair', (args: readonly unknown[]) => ({ args })]]),
      persistent: (id) => ({ id }),
    }).value;

  test('gives what Python gives', () => {
    expect(
      read('\x80\x02}q\x00(X\x01\x00\x00\x00aK\x07X\x01\x00\x00\x00b]q\x01(M\x01\x02J\xff\xff\xff\xffNeu.'),
    ).toEqual(
      new Map<string, unknown>([
        ['a', 7],
        ['b', [0x201, -1, null]],
      ]),
    );
    expect(read('(\x88\x89G?\xf8\x00\x00\x00\x00\x00\x00t.')).toEqual([true, false, 1.5]);
    expect(read('\x8a\x02\x00\x80.')).toBe(-32768);
    expect(read('\x8a\x00.')).toBe(0);
    expect(read('\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.')).toBe(2n ** 64n);
    expect(read('K\x01K\x01K\x02\x86q\x050h\x05\x86.')).toEqual([1, [1, 2]]);
    expect(read('cm\npair\nK\x01\x85R.')).toEqual({ args: [1] });
    expect(read('\x8c\x01m\x8c\x04pair\x93)\x81}b.')).toEqual({ args: [] });
    expect(read('U\x03keyQ.')).toEqual({ id: 'key' });
  });

  test.each([
    ['cos\nsystem\nU\x02lsq\x00\x85R.', 'names os.system, which is code'],
    ['\x8c\x08builtins\x8c\x04eval\x93.', 'names builtins.eval, which is code'],
    ['ios\nsystem\n.', 'has the opcode "i" at byte 0'],
    ['S"x"\n.', 'has the opcode "S" at byte 0'],
    ['\x80\x09N.', 'is of a newer protocol than 5'],
    ['K\x01', 'ends within a value at byte 2'],
    ['X\xff\xff\xff\xffa', 'ends within a value'],
    ['cos', 'ends within a name'],
    ['h\x07.', 'reads memo 7, which is empty'],
    ['e.', 'closes a list that was not opened'],
    ['K\x01K\x02a.', 'fills something that is no Array'],
    ['K\x01K\x02K\x03s.', 'fills something that is no Map'],
    ['K\x01)R.', 'calls something that is no function'],
    ['.', 'takes a value where there is none'],
  ])('%j is refused', (text, message) => {
    expect(() => read(text)).toThrow(DataError);
    expect(() => read(text)).toThrow(`x: ${message}`);
  });
});

test('a file that is too large to read is told by its size, and one that is not there by its name', () => {
  const path = join(temporaryFolder(), 'weights.pth');
  writeFileSync(path, '');
  truncateSync(path, 2 ** 31);
  expect(() => readBytes(path)).toThrow(
    `${path}: is larger than 2 GiB, which is not read; save the weights alone`,
  );
  expect(readBytes(path, 4)).toEqual(new Uint8Array(4));
  expect(() => readBytes(`${path}x`, 4)).toThrow(new RegExp(`cannot read ${path}x: ENOENT`));
});
