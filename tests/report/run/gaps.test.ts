import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluate } from '../../../src/evaluation/evaluate.js';
import { saveEvaluation } from '../../../src/evaluation/saveEvaluation.js';
import { MessageConsole } from '../../../src/log/console.js';
import { writeReport } from '../../../src/report/index.js';
import { modelCard } from '../../../src/report/run/modelCard.js';
import { gapped, packed, randomRun } from '../../evaluation/gappedImages.js';
import { withOneThread } from '../../training/tiny.js';

withOneThread();

let folder: string;
let run: string;
const console = new MessageConsole({ quiet: true });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'report-gaps-'));
  const data = gapped(['flair', 't1', 't1c'], 12, (modality, i) => modality === 'flair' || i % 4 < 3);
  run = await randomRun(join(folder, 'run'), await packed(folder, 'gaps', data));
  const common = {
    run,
    folds: 2,
    replicates: 50,
    precision: 'fp32',
    cacheFolder: join(folder, 'cache'),
  } as const;
  for (const asked of [{}, { images: ['t1', 'flair+t1'], features: 'pooled' }] as const) {
    const result = await evaluate({ ...common, protocol: 'logreg', ...asked });
    saveEvaluation(join(run, 'evaluation'), result);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const opened = (page: string) => parseHTML(readFileSync(page, 'utf8')).document;
const words = (element: { textContent: string | null } | null) => element!.textContent!.replace(/\s+/g, ' ');

test('the page of a run tells what is missing, judges all patients by any, and counts those of each row', async () => {
  const { page, summary } = await writeReport([run], { out: join(folder, 'one'), console, withImages: true });
  const document = opened(page);
  const text = words(document.body);
  expect(summary[0]).toMatch(/^AUC of the run’s encoder \(pooled features, any of flair, t1, t1c\): /);
  expect(text).toContain('Images of 24 samples: flair 24, t1 18 (6 missing), t1c 18 (6 missing).');
  expect(text).toContain('24 samples of gaps');
  expect(text).toContain('; images: flair 24, t1 18, t1c 18)');
  expect(document.querySelectorAll('table.pairs td.missing')).not.toHaveLength(0);
  const rows = [...document.querySelectorAll('table.numbers tbody tr')].map(words);
  expect(rows[0]).toMatch(/^Encoder of the run ?pooled ?flair ?24 \(12\)/);
  expect(rows[1]).toMatch(/^Encoder of the run ?pooled ?t1 ?18 \(12\)/);
  // The judgement of all images comes before that of some.
  const titles = [...document.querySelectorAll('section > h3')].map(({ id }) => id);
  expect(titles).toEqual(['probe-logreg-title', 'probe-logreg-t1-flair+t1-pooled-title']);
});

test('the page of several runs shows any last, as the widest', async () => {
  const other = join(folder, 'other');
  cpSync(run, other, { recursive: true });
  const { page } = await writeReport([run, other], { out: join(folder, 'two'), console });
  // The first table is of the pooled features.
  const [table] = opened(page).querySelectorAll('table.study');
  const heads = [...table!.querySelectorAll('th[scope=col]')].map(words);
  expect(heads.slice(1, 6)).toEqual(
    ['flair', 't1', 't1c', 'flair+t1+t1c', 'any'].map((images) => `AUC, ${images}`),
  );
  expect(heads).toContain('Mean of folds, any');
});

test('the model card holds the verdict and every table, and neither ids nor places', () => {
  const card = modelCard(run);
  expect(card).toMatch(/^---\nlibrary_name: anatomy-ssl\n/);
  expect(card).toMatch(
    /^- gaps: AUC of the run’s encoder \(pooled features, any of flair, t1, t1c\): \*\*0\.\d{3}\*\*/m,
  );
  expect(card.match(/^### run on gaps: /gm)).toHaveLength(2);
  expect(card).toMatch(/^\| modalities +\| flair, t1, t1c/m);
  expect(card).toContain('No further normalisation');
  expect(card).toContain('it is no medical device');
  expect(card).not.toContain(folder);
  // The processor is an x64, and no sample's id.
  expect(card).not.toMatch(/\bx(?!64\b)\d+\b|patient \d/);
});
