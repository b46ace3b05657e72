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
import { dirname, join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DataError, UsageError } from '../../../src/errors.js';
import { writeExperimentReport } from '../../../src/experiments/report/writeExperimentReport.js';
import { experimentPaths } from '../../../src/experiments/stored/folder.js';
import { MessageConsole } from '../../../src/log/console.js';
import { writeReport } from '../../../src/report/index.js';
import { LABELS, storeCells, storeExperiment } from '../../experiments/storedCells.js';
import { Capture } from '../../log/capture.js';
import { loggedLines, storeEvaluation, storePairs, storePredictions, storeRun } from '../storedRun.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'study-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const console = new MessageConsole({ stream: new Capture(false) });

function opened(page: string) {
  const text = readFileSync(page, 'utf8');
  return { text, document: parseHTML(text).document };
}

const textOf = (element: { textContent: string | null }) => element.textContent!.replace(/\s+/g, ' ').trim();

function twoRuns(): string[] {
  return ['<b>ours', 'other'].map((name) => {
    const run = storeRun(join(folder, name, 'seed-0'));
    storeEvaluation(run);
    storePredictions(
      run,
      undefined,
      Array.from({ length: 24 }, (_, i) => `Doe, Jane ${i}`).map((id) => `"${id}"`),
    );
    return run;
  });
}

test('the page of two runs has a table for each kind of features and curves of each run, and names no person or place', async () => {
  const { page, figures, summary } = await writeReport(twoRuns(), { out: join(folder, 'out'), console });
  const { text, document } = opened(page);
  expect(textOf(document.querySelector('h1')!)).toBe('2 runs side by side');
  const rows = [...document.querySelectorAll('table.study tbody tr')].map(textOf);
  expect(rows).toHaveLength(4);
  expect(rows[0]).toMatch(/^<b>ours0\.7000\.640 to 0\.7600\.8000\.740 to 0\.8600\.790\+0\.150/);
  expect(rows.at(-1)).toMatch(/^thumbnail ridge, 12×12–0\.790/);
  expect(summary[0]).toContain('Highest in the table');
  expect(figures.some((file) => file.endsWith('losses-global.svg'))).toBe(true);
  expect(figures.filter((file) => /roc-\d\.svg$/.test(file))).toHaveLength(2);
  expect(text).not.toMatch(/<script|https?:\/\/|<b>ours|<i>malignant/);
  expect(text).not.toContain('Jane');
  expect(text).not.toContain(folder);
  expect(text).not.toContain('secret');
  expect(text).toContain('sample 1');
  for (const file of figures.filter((name) => name.endsWith('.svg'))) {
    expect(readFileSync(file, 'utf8')).not.toContain(folder);
  }
});

test('says in short of each run whether the patches of partners agree, beyond chance', async () => {
  const runs = twoRuns();
  storePairs(runs[0]!);
  storePairs(runs[1]!, 'pairs.json', 5);
  const { page, summary } = await writeReport(runs, { out: join(folder, 'out'), console });
  const told = summary.filter((sentence) => sentence.includes('the patches of partners'));
  expect(told.map((sentence) => /^(.*?), on \d+ pairs? of (\d+) subjects/.exec(sentence)?.slice(1))).toEqual([
    ['<b>ours', '40'],
    ['other', '5'],
  ]);
  expect(told[0]).toContain('agree better than');
  expect(told[1]).toContain('not shown to agree better'); // five subjects are too few
  expect(textOf(opened(page).document.body)).toContain('<b>ours, on 60 pairs');
});

test('runs that were judged on different samples share no table and no baseline', async () => {
  const runs = twoRuns();
  const file = join(runs[1]!, 'evaluation', 'logreg.json');
  const stored = JSON.parse(readFileSync(file, 'utf8')) as { data: object };
  storeEvaluation(runs[1]!, { data: { ...stored.data, name: 'BUSI', dataHash: 'other' } });
  const { page } = await writeReport(runs, { out: join(folder, 'out'), console });
  const tables = [...opened(page).document.querySelectorAll('table.study')].map(textOf);
  const primary = tables.filter((text) => text.includes('samples of'));
  expect(primary).toHaveLength(2);
  expect(primary[0]).toMatch(/baselines are those of <b>ours/);
  expect(primary[0]).not.toContain('other0.');
  expect(primary[1]).toMatch(/baselines are those of other/);
  const { document } = opened(page);
  const headings = [...document.querySelectorAll('h3')].map(textOf);
  const title = 'BUSI: logistic regression (primary probe), pooled features';
  expect(headings.some((heading) => heading.startsWith(title))).toBe(true);
});

test('several runs need a place of their own, and each is named once', async () => {
  const [first, second] = twoRuns() as [string, string];
  await expect(writeReport([first, second], { console })).rejects.toThrow(
    /2 runs have no folder in common.*--out/,
  );
  await expect(writeReport([first, first], { console, out: join(folder, 'out') })).rejects.toThrow(
    /is named twice/,
  );
  await expect(writeReport([first, folder], { console, out: join(folder, 'out') })).rejects.toThrow(
    UsageError,
  );
  expect(existsSync(join(folder, 'out'))).toBe(false);
});

function experiment(): string {
  const root = join(folder, 'experiment');
  storeExperiment(root);
  storeCells(root, 'ours', { auc: 0.83 });
  storeCells(root, 'l-c-alone', { auc: 0.74 });
  return root;
}

test('the report of an experiment needs only experiment.json and cells/, and says what is missing', async () => {
  const root = experiment();
  const curves = experimentPaths(root).curves('ours/seed-0/pretrain');
  mkdirSync(dirname(curves), { recursive: true });
  writeFileSync(
    curves,
    loggedLines(40)
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(''),
  );
  const { page, figures, summary } = await writeExperimentReport([root], { console });
  const { text, document } = opened(page);
  expect(readdirSync(root).sort()).toEqual(['cells', 'experiment.json', 'report']);
  expect(textOf(document.querySelector('h1')!)).toBe('methods on pairs');
  expect(textOf(document.querySelector('.banner')!)).toContain('1 of 3 evaluations is missing');
  const [pooled] = [...document.querySelectorAll('table.study')];
  const rows = [...pooled!.querySelectorAll('tbody tr')].map(textOf);
  expect(rows[0]).toMatch(/^Ours0\.790.*0\.810.*0\.830.*\+0\.130/);
  expect(text).toContain('No result yet: authors');
  expect(text).toContain('The runs are not in this folder');
  expect(text).toContain('The predictions are not in this folder');
  // The paper beside ours, in per cent: 83.0 against 90.11.
  const beside = [...document.querySelectorAll('table.study')].find((table) =>
    textOf(table).includes('Beside the paper'),
  )!;
  expect(textOf(beside)).toContain('Ours83.090.1−7.1');
  // Of F1 and precision the paper alone has numbers.
  expect([...beside.querySelectorAll('thead th')].map(textOf)).toEqual([
    ...['Method', 'AUC', 'paper', 'difference', 'Accuracy', 'paper', 'difference'],
  ]);
  expect(text).toContain('1,866 samples of 80 subjects, 5 folds by subject.');
  expect(figures.some((file) => file.endsWith('methods-values.png'))).toBe(true);
  expect(figures.some((file) => file.endsWith('losses-consistency.svg'))).toBe(true);
  expect(summary.join(' ')).toContain('Ours against the same encoder untrained: higher');
  expect(text).not.toMatch(/<script|https?:\/\//);
  expect(text).not.toContain(folder);
  const words = document.querySelectorAll('.glossary dt').length;
  expect(words).toBeGreaterThan(15);
});

test('the report shows the primary table once more among samples that are alike, and says so', async () => {
  const root = join(folder, 'matched');
  storeExperiment(root);
  // The place alone tells the label, and the run knows nothing else.
  const place = LABELS.map((label, i) => (label === 'tumor' ? 5 : 0) + (i % 10));
  const scores = place.map((at) => at / 20);
  const predictions = { run: scores, untrained: scores, thumbnail: scores };
  storeCells(root, 'ours', { auc: 0.83, predictions });
  const values = new Map(place.map((at, i) => [`P-${i}`, at]));
  const matching = { column: 'place', within: 0, values };
  const { page } = await writeExperimentReport([root], { console, matching });
  const tables = [...opened(page).document.querySelectorAll('table.study')].map(textOf);
  const titles = [...opened(page).document.querySelectorAll('h3')].map(textOf);
  const at = titles.findIndex((title) => title.startsWith('Matched AUC, logistic regression'));
  expect(titles[at - 1]).toMatch(/^AUC, logistic regression/);
  expect(tables.join(' ')).toContain('Ours0.500');
  expect(opened(page).text).toContain('whose place is at most 0 away');
});

test('a damaged cell is named, and an experiment is reported alone', async () => {
  const root = experiment();
  await expect(writeExperimentReport([root, folder], { console })).rejects.toThrow(/reported by itself/);
  writeFileSync(experimentPaths(root).cell('ours/seed-0/logreg'), '{"version": 1');
  const report = writeExperimentReport([root], { console });
  await expect(report).rejects.toThrow(DataError);
  await expect(report).rejects.toThrow(/ours\/seed-0\/logreg\.json/);
});
