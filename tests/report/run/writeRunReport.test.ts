import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DataError, UsageError } from '../../../src/errors.js';
import { MessageConsole } from '../../../src/log/console.js';
import { writeReport } from '../../../src/report/index.js';
import { Capture } from '../../log/capture.js';
import { loggedLines, storeEvaluation, storePairs, storeRun } from '../storedRun.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'report-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const screen = () => new Capture(false);
const console = (stream = screen()) => new MessageConsole({ stream });

async function reportOf(run: string, options: { out?: string; withImages?: boolean } = {}) {
  const files = await writeReport([run], { ...options, console: console() });
  const text = readFileSync(files.page, 'utf8');
  return { ...files, text, document: parseHTML(text).document };
}

test('the report is one page that carries all it shows and runs nothing', async () => {
  const run = storeRun(join(folder, 'run'));
  storeEvaluation(run);
  const { text, document, figures } = await reportOf(run);
  expect(text).not.toMatch(/https?:\/\//);
  expect(text).not.toMatch(/<(script|link|iframe|object)\b/);
  expect(text).not.toMatch(/\b(src|href)="(?!data:|#)/);
  expect(text).not.toMatch(/url\(/);
  expect(text).toContain('prefers-color-scheme: dark');
  expect(document.querySelectorAll('figure svg')).toHaveLength(10);
  expect(figures.map((file) => file.slice(file.lastIndexOf('/') + 1))).toContain('probe-logreg.png');
  expect(readdirSync(join(run, 'report')).sort()).toEqual(['figures', 'index.html']);
});

test('text from files is escaped, in text, attributes and figures', async () => {
  const run = storeRun(join(folder, '"><b>run'));
  storeEvaluation(run);
  const { text, document, figures } = await reportOf(run);
  expect(text).not.toMatch(/<script>|<b>CPU|<i>malignant|"><b>run|<b>markup/);
  expect(document.querySelector('h1')!.textContent).toBe('Pretraining report: "><b>run');
  expect(document.querySelector('.lead')!.textContent).toContain(', anatomy (recipe paper-us-swe), 40 steps');
  expect(document.querySelector('.lead')!.textContent).toContain('<script>alert(1)</script> & "pairs"');
  for (const file of figures.filter((name) => name.endsWith('.svg'))) {
    expect(readFileSync(file, 'utf8')).not.toContain('<b>');
  }
});

test('the report tells no folders, and no patients unless asked', async () => {
  const run = storeRun(join(folder, 'run'));
  const { text, document } = await reportOf(run);
  expect(text).not.toContain('secret');
  expect(text).not.toContain(folder);
  expect(text).toContain('--with-images');
  expect(document.querySelectorAll('img')).toHaveLength(0);
  expect(existsSync(join(run, 'report/figures/preview.png'))).toBe(false);
});

test('phantoms are shown, and each picture has its words', async () => {
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  try {
    const run = storeRun(join(folder, 'run'), { data: 'phantom:breast,pairs=4' });
    const { document } = await reportOf(run);
    const pictures = [...document.querySelectorAll('.pairs img')];
    expect(pictures).toHaveLength(16);
    expect(pictures[0]!.getAttribute('alt')).toMatch(/^breast-\d+, view A$/);
    expect(existsSync(join(run, 'report/figures/preview.png'))).toBe(true);
  } finally {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  }
});

test('tables have heads, intervals, the baselines and what the encoder has seen', async () => {
  const run = storeRun(join(folder, 'run'));
  storeEvaluation(run);
  const { document, summary } = await reportOf(run);
  const [metrics, further, differences, patients] = [...document.querySelectorAll('table.numbers')];
  const heads = [...metrics!.querySelectorAll('thead th')].map((head) => head.textContent);
  expect(heads).toEqual([
    'Encoder',
    'Features',
    'Modality',
    'AUC',
    'Accuracy',
    'F1',
    'Precision',
    'Sensitivity = recall',
  ]);
  const cells = [...metrics!.querySelectorAll('tbody tr')].map((row) =>
    row.textContent!.replace(/\s+/g, ' '),
  );
  expect(cells).toHaveLength(4);
  expect(cells[1]).toContain('Encoder of the runpooledA+B');
  expect(cells[1]).toContain('0.8000.740 to 0.8600.790 ± 0.050');
  expect(cells.map((cell) => cell.slice(0, 9))).toEqual(['Encoder o', 'Encoder o', 'Untrained', 'Thumbnail']);
  expect(further!.textContent).toContain('Specificity0.8000.740 to 0.8600.790');
  expect(differences!.textContent).toContain('+0.150+0.100 to +0.200');
  expect(differences!.textContent).toContain('0.070');
  expect(patients!.querySelector('caption')!.textContent).toContain('12 subjects');
  expect(document.querySelector('.tag')!.textContent).toBe('transductive');
  expect(summary[0]).toContain('0.800, 95 % interval 0.740 to 0.860, transductive');
  expect(summary[1]).toContain('higher than that of the same encoder untrained');
  expect(summary[2]).toContain('not shown to differ from that of a 12×12 thumbnail');
  expect(summary[2]).toContain('anything useful for this task is not shown');
});

test('in short, the page and the terminal speak of pairs too, those set aside last', async () => {
  const run = storeRun(join(folder, 'run'));
  storeEvaluation(run);
  storePairs(run);
  storePairs(run, 'pairs-set-aside.json');
  const { document, summary } = await reportOf(run);
  const said = [...document.querySelectorAll('h2 + ul li')].map((item) => item.textContent!.trim());
  expect(said).toEqual(summary);
  const [open, aside, ...others] = said.filter((sentence) => sentence.includes('patches of partners'));
  expect(open).toBe(
    'On 60 pairs of 40 subjects, transductive: the patches of partners agree better than those of different subjects, ' +
      'on map 3 in 8×8 patches: 0.400 against 0.100, difference +0.300, 95 % interval +0.250 to +0.350; ' +
      '+0.300 with the untrained encoder.',
  );
  expect(aside).toMatch(/^On 60 pairs of 40 subjects, set aside, transductive: /);
  expect(others).toEqual([]);
});

test('a difference counts by its p-value after Holm’s correction, as the page says', async () => {
  const run = storeRun(join(folder, 'run'));
  const difference = { metric: 'auc', row: 'run/pooled/a+b', against: 'untrained/pooled/a+b' };
  // The interval of one comparison leaves out 0, which is no finding among several; the sentence says which decides.
  const found = { value: 0.15, low: 0.1, high: 0.2, minimumDetectable: 0.07, standardError: 0.02 };
  const said = async (holm: number) => {
    storeEvaluation(run, { differences: [{ ...difference, ...found, pValue: 0.02, holm }] });
    return (await reportOf(run)).summary[1];
  };
  expect(await said(0.072)).toMatch(/^It is not shown to differ from .*; p\s0.072 after Holm’s correction/);
  expect(await said(0.072)).toContain('+0.100 to +0.200 for this comparison alone; p');
  expect(await said(0.072)).toContain('for all comparisons, which decides');
  expect(await said(0.04)).toMatch(/^It is higher than .*; p\s0.040 after Holm’s correction/);
});

test('an interval that does not hold its value is explained, where there is one', async () => {
  const run = storeRun(join(folder, 'run'));
  const REASON = 'An interval of expected calibration error (10 bins) does not hold its own value';
  storeEvaluation(run);
  const { rows, differences } = JSON.parse(readFileSync(join(run, 'evaluation/logreg.json'), 'utf8'));
  expect((await reportOf(run)).document.body.textContent).not.toMatch(
    /its own value|other patients of the same/,
  );
  const calibrationError = {
    ...{ mean: 0.1, std: 0.01, folds: [0.1], skipped: 0 },
    ...{ pooled: 0.05, low: 0.06, high: 0.09 },
  };
  storeEvaluation(run, {
    metrics: ['auc', 'accuracy', 'calibrationError'],
    rows: rows.map((row: { metrics: object }) => ({ ...row, metrics: { ...row.metrics, calibrationError } })),
    differences: [{ ...differences[0], value: -0.0001, pValue: 0.0002 }],
  });
  const { document } = await reportOf(run);
  const tables = [...document.querySelectorAll('table.numbers')];
  const captions = tables.map((table) => table.querySelector('caption')!.textContent!);
  expect(captions.map((caption) => caption.includes(REASON))).toEqual([false, true, false, false]);
  expect(tables[2]!.querySelector('tbody tr')!.textContent).toMatch(/AUC0\.000.*< 0\.001/);
});

test('weights that were not pretrained here are not called pretrained', async () => {
  const run = storeRun(join(folder, 'run'));
  storeEvaluation(run, { exposure: { kind: 'untrained', seenTestSamples: 24, testSamples: 24 } });
  const { document, summary } = await reportOf(run);
  expect(document.querySelector('.tag')!.textContent).toBe('untrained');
  expect(document.querySelector('#probe-logreg-title ~ p')!.textContent).toContain(
    'Untrained: The encoder was not pretrained here',
  );
  expect(summary[0]).toMatch(/^AUC of the run’s encoder .*, untrained\.$/);
});

test('an unfinished run without evaluation says so, and a failed one says why', async () => {
  const run = storeRun(join(folder, 'run'), { steps: 1000, finished: false });
  const { document, text } = await reportOf(run);
  expect(document.querySelector('.banner')!.textContent).toContain('40 of 1,000 steps are done');
  expect(text).toContain('No evaluation yet');
  writeFileSync(join(run, 'failure.json'), JSON.stringify({ step: 41, reason: 'the loss is NaN' }));
  const failed = await reportOf(run);
  expect(failed.document.querySelector('.failed')!.textContent).toContain(
    'at step 41 of 1,000: the loss is NaN',
  );
  // The terminal has the same sentences, in which nothing goes before the failure.
  expect(failed.summary[0]).toBe('The run failed at step 41 of 1,000: the loss is NaN.');
  expect(failed.summary.at(-1)).toMatch(/went from .* by step 40; /);
});

test('the course of a loss stands beside that of chance, which moves with the size of the batch', async () => {
  const [first, last] = loggedLines(5).filter((line) => 'chance/global' in line);
  const lines = [
    { ...first!, global: 12.8, 'chance/global': 4 * Math.log(32) },
    { ...last!, global: 6.46, 'chance/global': 4 * Math.log(6) },
  ];
  const { summary } = await reportOf(storeRun(join(folder, 'run'), { steps: 5, lines }));
  expect(summary).toContain(
    'The global loss went from 12.8 to 6.46; that of blind guessing from 13.9 to 7.17.',
  );
  const even = await reportOf(storeRun(join(folder, 'even')));
  expect(even.summary).toContainEqual(expect.stringMatching(/; that of blind guessing is 8\.32\.$/));
});

test('a run that failed before it logged anything has no report, and the error says why', async () => {
  const run = storeRun(join(folder, 'at-once'), { finished: false, lines: [] });
  writeFileSync(join(run, 'failure.json'), JSON.stringify({ step: 1, reason: 'the loss is NaN' }));
  await expect(reportOf(run)).rejects.toThrow(
    /failed at step 1, before anything was logged \(the loss is NaN\)/,
  );
});

test('runs side by side say which of them failed and which are not finished', async () => {
  const sound = storeRun(join(folder, 'sound'));
  const failed = storeRun(join(folder, 'failed'), { finished: false });
  writeFileSync(join(failed, 'failure.json'), JSON.stringify({ step: 41, reason: 'the loss is NaN' }));
  const going = storeRun(join(folder, 'under-way'), { finished: false });
  const options = { out: join(folder, 'three'), console: new MessageConsole({ quiet: true }) };
  const { summary } = await writeReport([sound, failed, going], options);
  expect(summary.slice(0, 2)).toEqual([
    'Failed, as a number was not finite: failed.',
    'Not finished: under-way.',
  ]);
});

test('a run that trains nothing has a report without curves, once it is finished', async () => {
  for (const method of ['random', 'imagenet']) {
    const run = storeRun(join(folder, method), { method, lines: [] });
    storeEvaluation(run);
    const { document, text, figures } = await reportOf(run);
    expect(document.querySelector('.lead')!.textContent).toContain(`${method} (recipe`);
    expect(document.querySelector('.lead')!.textContent).toContain(', nothing trained, seed 0');
    expect(text).toContain('Nothing was trained, so there are no curves.');
    expect(text).not.toMatch(/Optimiser|Budget|is not finished|NaN/);
    expect(figures.map((file) => file.slice(file.lastIndexOf('/') + 1))).toEqual([
      'probe-logreg.svg',
      'probe-logreg.png',
    ]);
  }
  const going = storeRun(join(folder, 'going'), { method: 'random', lines: [], finished: false });
  await expect(reportOf(going)).rejects.toThrow(/has no metrics yet .*come to its end/);
});

test('a run of folds has the curves of each fold, under their own names', async () => {
  const root = join(folder, 'folds');
  storeRun(join(root, 'fold-0'));
  storeRun(join(root, 'fold-1'), { finished: false, lines: loggedLines(10) });
  const { document, figures } = await reportOf(root);
  expect([...document.querySelectorAll('summary')].map((one) => one.textContent).slice(0, 2)).toEqual([
    'Fold 0 kept out, 40 steps',
    'Fold 1 kept out, 10 steps',
  ]);
  expect(document.querySelector('.banner')!.textContent).toContain('The run of fold 1 is not finished');
  expect(figures.some((file) => file.endsWith('fold-1-loss-global.svg'))).toBe(true);
});

test('the report refuses a folder that is no run, has no metrics, or would be overwritten', async () => {
  await expect(reportOf(join(folder, 'nowhere'))).rejects.toThrow(UsageError);
  const empty = storeRun(join(folder, 'empty'), { lines: [] });
  await expect(reportOf(empty)).rejects.toThrow(/has no metrics yet/);
  await expect(reportOf(empty)).rejects.toThrow(DataError);

  const run = storeRun(join(folder, 'run'));
  const out = join(folder, 'thesis');
  mkdirSync(out);
  writeFileSync(join(out, 'index.html'), '<h1>mine</h1>');
  await expect(reportOf(run, { out })).rejects.toThrow(/holds files but no report/);
  expect(readFileSync(join(out, 'index.html'), 'utf8')).toBe('<h1>mine</h1>');

  storeEvaluation(run, { rows: 'none' });
  await expect(reportOf(run)).rejects.toThrow(/logreg\.json: is no evaluation of this version \(rows/);
});

test('a report replaces an older one and leaves none of its pictures', async () => {
  const run = storeRun(join(folder, 'run'));
  await reportOf(run);
  writeFileSync(join(run, 'report/figures/preview.png'), 'of a patient');
  const { text } = await reportOf(run);
  expect(existsSync(join(run, 'report/figures/preview.png'))).toBe(false);
  expect((await reportOf(run)).text).toBe(text);
});

test('the pairs that were set aside have tables of their own, beside those that may be looked at', async () => {
  const run = storeRun(join(folder, 'run'));
  storePairs(run, 'pairs-set-aside.json');
  const captions = async () =>
    [...(await reportOf(run)).document.querySelectorAll('h3')].map((one) => one.textContent);
  expect(await captions()).toContain('The paper’s claims about pairs, set aside');
  storePairs(run);
  expect(await captions()).toEqual(
    expect.arrayContaining(['The paper’s claims about pairs', 'The paper’s claims about pairs, set aside']),
  );
});
