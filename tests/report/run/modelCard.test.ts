import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { modelCard } from '../../../src/report/run/modelCard.js';
import { temporaryFolder } from '../../training/tiny.js';
import { storeRun } from '../storedRun.js';

test('the card of a run that nobody judged says so, and what the run left', () => {
  const card = modelCard(storeRun(join(temporaryFolder(), 'first'), { finished: false, steps: 100 }));
  expect(card).toContain('# first\n');
  expect(card).toMatch(/^\| backbone +\| vgg16_bn × 0\.25/m);
  expect(card).toMatch(/^\| steps +\| 40 of 100, not finished, batches of 8 samples/m);
  expect(card).toContain('Not yet. `anatomy evaluate logreg --run RUN` judges it');
  expect(card).not.toContain('secret');
  // A name of the data is text, not HTML.
  expect(card).not.toContain('<script>');
});

test('a folder with a run for each fold names the runs, and a folder without one is refused', () => {
  const root = temporaryFolder();
  for (const fold of [0, 1]) storeRun(join(root, `fold-${fold}`));
  expect(() => modelCard(root)).toThrow(
    /holds an encoder for each fold; name the run of one, such as --run .*fold-0/,
  );
  mkdirSync(join(root, 'empty'));
  expect(() => modelCard(join(root, 'empty'))).toThrow(/no run here/);
});
