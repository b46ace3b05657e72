import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MessageConsole } from '../../../src/log/console.js';
import { writeReport } from '../../../src/report/index.js';
import { storeEvaluation, storeRun } from '../storedRun.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'report-few-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run that three subjects judged, as a version stored it that tested even these. */
function storeFew(name: string): string {
  const run = storeRun(join(folder, name));
  storeEvaluation(run);
  const { data, differences } = JSON.parse(readFileSync(join(run, 'evaluation', 'logreg.json'), 'utf8'));
  storeEvaluation(run, {
    data: { ...data, subjects: 3 },
    patients: undefined,
    differences: differences.map((one: object) => ({ ...one, pValue: 0.0005, holm: 0.012 })),
  });
  return run;
}

const quiet = { console: new MessageConsole({ quiet: true }) };

test('the page of a run with three subjects tests nothing, and says so in every place', async () => {
  const { page, summary } = await writeReport([storeFew('run')], quiet);
  const { document } = parseHTML(readFileSync(page, 'utf8'));
  expect(summary[0]).toMatch(/^Only 3 subjects: /);
  expect(summary[1]).toContain('0.800, interval over only 3 subjects 0.740 to 0.860');
  expect(summary[2]).toContain('not tested against that of the same encoder untrained');
  expect(document.querySelector('section .banner')!.textContent).toMatch(/^Only 3 subjects: /);
  const section = document.querySelector('section')!.textContent!;
  expect(section).not.toMatch(/95 % (confidence )?interval/);
  expect(section).not.toContain('0.012');
});

test('runs side by side with three subjects are not tested', async () => {
  const runs = [storeFew('one'), storeFew('other')];
  const { summary } = await writeReport(runs, { ...quiet, out: join(folder, 'both') });
  expect(summary[0]).toMatch(/^Only 3 subjects: /);
  expect(summary.join()).toContain('not tested, difference +0.150 (interval over only 3 subjects');
  expect(summary.join()).not.toMatch(/95 % interval|higher,/);
});
