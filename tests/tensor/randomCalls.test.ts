import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Operator } from '../../src/tensor/operator.js';
import * as ops from '../../src/tensor/ops.js';

const script = fileURLToPath(new URL('children/randomCalls.mjs', import.meta.url));

test('20,000 random calls of the addon end in results or TensorErrors, and in no crash', async () => {
  const operators = Object.values(ops as Record<string, Operator<unknown[], unknown>>).map(
    (op) => op.operator,
  );
  const calls = 20_000;
  // Another seed tries other calls: node tests/tensor/children/randomCalls.mjs '[["aten::relu"],100000,7]'
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [script, JSON.stringify([operators, calls, 1])],
    {
      timeout: 240_000,
      killSignal: 'SIGKILL',
    },
  );
  const { returned, refused, trapped } = JSON.parse(stdout) as Record<string, number>;
  expect(returned! + refused! + trapped!).toBe(calls);
  expect(Math.min(returned!, refused!)).toBeGreaterThan(calls / 10);
  expect(trapped).toBeGreaterThan(0);
});
