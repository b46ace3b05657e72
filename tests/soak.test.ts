import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { supportsBf16 } from '../src/tensor/cpu.js';

const script = fileURLToPath(new URL('../bench/soak.mjs', import.meta.url));

// The kills have their own tests in tests/cli/pretrain.test.ts and tests/experiments/grid.test.ts; `npm run soak`
// does many more. A CPU that emulates bf16 would take minutes.
const precisions = supportsBf16() ? ['fp32', 'bf16'] : ['fp32'];

test('a short soak: live tensors stay constant and memory does not grow', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    script,
    '--steps',
    '80',
    '--warmup',
    '20',
    '--kills',
    '0',
    '--faults',
    '0',
    '--rank-kills',
    '0',
    '--grid-kills',
    '0',
    '--precisions',
    precisions.join(),
  ]);
  const rows = stdout.trim().split('\n').slice(1);
  expect(rows).toHaveLength(2 * precisions.length);
  for (const row of rows) expect(row).toMatch(/ok$/);
  expect(rows[0]).toMatch(/fp32, live tensors +(\d+) to \1 over 100 steps/);
});
