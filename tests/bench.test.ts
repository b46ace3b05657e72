import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('our side of the bench trains steps of the paper’s method, in colour and gray', () => {
  const commands = [false, true].map((gray) => {
    return JSON.stringify({
      make: { width: 0.25, size: 64, pairs: 2, bf16: true, gray },
      steps: 2,
      threads: 1,
    });
  });
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('../bench/ours.mjs', import.meta.url))],
    { input: `${commands.join('\n')}\n`, encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  const answers = stdout.trim().split('\n');
  expect(answers.map((line) => JSON.parse(line).seconds.length)).toEqual([2, 2]);
});
