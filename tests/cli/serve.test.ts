import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** The pages themselves are in tests/browser/serve.test.ts. */
test.each([
  [3, ['--data', 'none.csv'], /none\.csv: no such file or folder/],
  [2, ['--data', 'phantom:brest'], /Did you mean "phantom:breast"/],
  [2, ['--drop', 'drop.csv'], /no data; name it with --data/],
  [2, ['--data', 'phantom:breast', '--data', 'phantom:fundus'], /--data is given twice/],
])('data that cannot be opened end serve with %i before it listens: %j', (code, words, problem) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'serve', '--port', '0', ...words], {
    encoding: 'utf8',
    timeout: 240_000,
  });
  expect([status, stdout]).toEqual([code, '']);
  expect(stderr).toMatch(problem);
});
