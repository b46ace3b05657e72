import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tinyPairs } from '../evaluation/tinyPairs.js';
import { storeExperiment } from '../experiments/storedCells.js';
import { CHROMIUM, chromiumIsThere, OPTIONS } from './chromium.js';
import { addressOf, anatomy, ended, eventually, faultsOf, TINY } from './livePage.js';

/** What nobody else may learn: each is in the data, or in the places where they lie. */
const PRIVATE = ['case-0', 'Doe, Jane', 'ward nine', 'clinic', 'pairs-of-april', 'left-out', 'drawn-folds'];

describe.skipIf(!chromiumIsThere('the public page is not opened in it'))('the page for others', () => {
  let folder: string;
  let browser: BrowserContext;
  let server: ReturnType<typeof anatomy>;
  let url: string;
  /** What the server said, and to which question. */
  const said: { path: string; status: number; type: string; body: Promise<Buffer> }[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'public-'));
    const runs = join(folder, 'runs');
    const manifest = await clinicPairs(join(folder, 'clinic'));
    const drop = join(folder, 'clinic/left-out.csv');
    writeFileSync(drop, 'id,reason\ncase-023,blurred\n');
    const splits = join(folder, 'clinic/drawn-folds.json');
    expect(
      await ended(anatomy('data', 'split', '--data', manifest, '--drop', drop, '--out', splits).child),
    ).toBe(0);
    const common = ['--steps', '2', '--set', ...TINY, `data.cacheFolder=${join(folder, 'clinic/cache')}`];
    const root = `data.imageRoot=${join(folder, 'clinic')}`;
    const own = ['--data', manifest, '--drop', drop, '--splits', splits, '--fold', '0'];
    for (const words of [
      ['--out', join(runs, 'patients'), ...own, ...common, root],
      ['--out', join(runs, 'phantoms'), '--data', 'phantom:breast,pairs=24', ...common],
    ]) {
      const training = anatomy('pretrain', ...words);
      expect(await ended(training.child), training.said()).toBe(0);
    }
    const judging = anatomy('evaluate', 'logreg', '--replicates', '50', '--run', join(runs, 'patients'));
    expect(await ended(judging.child), judging.said()).toBe(0);
    mkdirSync(join(runs, 'patients/report'));
    writeFileSync(join(runs, 'patients/report/index.html'), 'Doe, Jane');
    // What is wrong with an experiment is said with its place.
    storeExperiment(join(runs, 'table'));
    truncateSync(join(runs, 'table/experiment.json'), 50);
    server = anatomy('serve', runs, '--port', '0', '--public');
    url = await addressOf(server);
    browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: CHROMIUM,
      headless: true,
      args: OPTIONS,
    });
    browser.on('response', (response) => {
      const { pathname, search } = new URL(response.url());
      const type = response.headers()['content-type'] ?? '';
      // The stream of events ends with the page; its content is that of /api/runs, which is asked for below.
      const body = type === 'text/event-stream' ? Buffer.alloc(0) : response.body();
      said.push({
        path: pathname + search,
        status: response.status(),
        type,
        body: Promise.resolve(body).catch(() => Buffer.alloc(0)),
      });
    });
  });
  afterAll(async () => {
    await browser?.close();
    server?.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a page, and says what is in it once `sign` is there. */
  async function opened(hash: string, sign: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`${url}${hash}`);
    await page.locator(sign).first().waitFor();
    return page;
  }

  async function expectNothingPrivate(page: Page): Promise<void> {
    const html = await page.content();
    for (const word of [...PRIVATE, folder]) expect(html, page.url()).not.toContain(word);
    expect(await faultsOf(page), page.url()).toBe('[]');
  }

  /** Whether the images that are in sight have been drawn. */
  const drawn = (page: Page, images: string) =>
    page
      .locator(images)
      .evaluateAll((all) => (all as { naturalWidth?: number }[]).map((one) => one.naturalWidth! > 0));

  test('Runs: settings and results without places, no report, nothing of what is wrong', async () => {
    const page = await opened('', 'tbody tr.experiment');
    await page.getByText('patients', { exact: true }).waitFor();
    expect(await page.getByRole('link', { name: 'report' }).count()).toBe(0);
    await expectNothingPrivate(page);
    await page.close();
  });

  test('Explore: pseudonyms, maps without the images of patients, and those of phantoms', async () => {
    const page = await opened('#/explore?run=patients', '.panels canvas');
    expect(await page.locator('input[list]').inputValue()).toMatch(/^P-[0-9a-f]{12}$/);
    await page.getByText(/subject S-[0-9a-f]{12}/).waitFor();
    await page.getByText('Nearest cases').click();
    await page.locator('.nearest a').first().waitFor();
    await expectNothingPrivate(page);
    await page.close();
    const phantoms = await opened('#/explore?run=phantoms', '.panels canvas');
    await eventually(
      () => said.filter(({ path, type }) => /image\?run=phantoms/.test(path) && type === 'image/png').length,
    ).toBeGreaterThan(1);
    await expectNothingPrivate(phantoms);
    await phantoms.close();
  });

  test('Cases: pseudonyms, no column of the manifest, and images of phantoms alone', async () => {
    const page = await opened('#/cases?run=patients', '.cases tbody a');
    await page.locator('.cases tbody a').first().focus();
    await page.locator('.shown strong').waitFor();
    expect(await page.locator('.shown strong').textContent()).toMatch(/^P-/);
    await eventually(() => page.locator('.shown .no-image').allTextContents()).toEqual([
      'a: not shown',
      'b: not shown',
    ]);
    expect(await page.locator('.shown img').count()).toBe(0);
    const heads = await page.$$eval('.cases thead th', (all) => all.map((head) => head.textContent));
    expect(heads).toEqual(expect.arrayContaining(['label', 'subject', 'errors of logreg']));
    expect(heads).not.toContain('ward');
    await expectNothingPrivate(page);
    await page.close();
    const phantoms = await opened('#/cases?run=phantoms', '.cases tbody a');
    await phantoms.locator('.cases tbody a').first().focus();
    await eventually(() => drawn(phantoms, '.shown img')).toEqual([true, true]);
    await phantoms.close();
  });

  test('Compare: curves and differences', async () => {
    const page = await opened('#/compare?run=patients&run=phantoms', '.charts figure');
    await expectNothingPrivate(page);
    await page.close();
  });

  test('Data: what is wrong under pseudonyms, and nothing to decide or to write', async () => {
    const page = await opened('#/data?run=patients', '.finding');
    await page.locator('.item strong', { hasText: /^P-/ }).first().waitFor();
    for (const role of ['radio', 'textbox'] as const) expect(await page.getByRole(role).count()).toBe(0);
    expect(await page.getByRole('button', { name: /Write/ }).count()).toBe(0);
    await expectNothingPrivate(page);
    const status = await page.evaluate(async () => {
      const body = JSON.stringify({
        file: 'drop.csv',
        samples: [{ id: 'P-1', reason: 'x' }],
        overwrite: true,
      });
      const headers = { 'Content-Type': 'application/json' };
      return (await fetch('/api/drop-list', { method: 'POST', headers, body })).status;
    });
    expect(status).toBe(403);
    await page.close();
  });

  // The last one, as it looks at all answers.
  test('no answer of the server held anything of a patient', async () => {
    const page = await opened('', 'tbody tr.experiment');
    await page.evaluate(async () => {
      for (const path of [
        'runs',
        'samples?run=patients',
        'audit?run=patients',
        'outline?run=patients&sample=0',
        'differences?run=patients&run=phantoms',
        'image?run=patients&sample=0&modality=a',
        'thumbnail?run=patients&sample=0&modality=a',
      ])
        await (await fetch(`/api/${path}`)).text();
      await (await fetch('/report?run=patients')).text();
      await (await fetch('/report?experiment=table')).text();
    });
    // What comes with the stream of events is no answer that the debugger sees.
    const told = await page.evaluate(
      () =>
        new Promise<string>((resolve) => {
          const events = new EventSource('/api/events');
          events.addEventListener('runs', (message) => {
            events.close();
            resolve((message as unknown as { data: string }).data);
          });
        }),
    );
    expect(told).toContain('patients');
    said.push({ path: '/api/events', status: 200, type: '', body: Promise.resolve(Buffer.from(told)) });
    const paths = said.map(({ path }) => path);
    for (const name of [
      'runs',
      'metrics',
      'samples',
      'similarity',
      'nearest',
      'cases',
      'audit',
      'differences',
    ])
      expect(
        paths.some((path) => path.startsWith(`/api/${name}`)),
        name,
      ).toBe(true);
    for (const { path, type, status, body } of said) {
      const text = (await body).toString('latin1');
      for (const word of [...PRIVATE, folder]) expect(text, path).not.toContain(word);
      // Pixels of patients go to nobody.
      if (/^\/api\/(image|thumbnail)\?/.test(path)) {
        const ofPhantom = path.includes('run=phantoms');
        expect([type.startsWith('image/'), status], path).toEqual([ofPhantom, ofPhantom ? 200 : 422]);
      }
    }
    await page.close();
  });
});

/** A manifest whose every name could be a patient's or a place's, with a copy under two names. @returns its file */
async function clinicPairs(folder: string): Promise<string> {
  const { manifest } = await tinyPairs(folder, 12);
  const lines = readFileSync(manifest, 'utf8').trim().split('\n').slice(1);
  const named = lines.map((line, i) => {
    const [, subject, a, b, label] = line.split(',') as [string, string, string, string, string];
    const id = `case-0${String(i).padStart(2, '0')}`;
    // The image of a case is also that of one with another label.
    return [id, `"Doe, Jane ${subject}"`, i === 7 ? 'x0-a.png' : a, b, label, `ward nine ${i % 3}`].join(',');
  });
  const file = join(folder, 'pairs-of-april.csv');
  writeFileSync(file, `id,subject,a,b,label,ward\n${named.join('\n')}\n`);
  return file;
}
