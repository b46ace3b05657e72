import { expect, test } from 'vitest';
import { supportsBf16, usableCores } from '../../src/tensor/cpu.js';

test('bf16 pays where the CPU multiplies it, and a longer flag of the same beginning does not count', () => {
  expect(supportsBf16('flags\t\t: fpu avx512f avx512_bf16 clzero\n')).toBe(true);
  expect(supportsBf16('flags\t\t: fpu amx_bf16\n')).toBe(true);
  expect(supportsBf16('flags\t\t: fpu avx512f avx512_bf16x\n')).toBe(false);
  expect(supportsBf16('')).toBe(false);
});

test('two hardware threads of a core count once, and no more cores than the process may use', () => {
  const processor = (socket: number, core: number) => `physical id\t: ${socket}\ncore id\t\t: ${core}\n`;
  const twoCores = [processor(0, 0), processor(0, 0), processor(0, 1), processor(0, 1)].join('\n');
  expect(usableCores(twoCores, 4)).toBe(2);
  expect(usableCores(twoCores, 1)).toBe(1);
  expect(usableCores([processor(0, 0), processor(1, 0)].join('\n'), 2)).toBe(2);
  expect(usableCores('', 3)).toBe(3);
});
