import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { experimentPaths } from '../../src/experiments/stored/folder.js';
import type { CaseMap } from '../../src/server/messages.js';
import { takeLease } from '../../src/training/lease.js';
import { placed } from '../../web/scatter.js';
import { tinyPairs } from '../evaluation/tinyPairs.js';
import { storeCells, storeExperiment } from '../experiments/storedCells.js';
import { loggedLines, storeEvaluation, storeRun } from '../report/storedRun.js';
import { CHROMIUM, chromiumIsThere, OPTIONS } from './chromium.js';
import { addressOf, anatomy, ended, eventually, faultsOf, TINY, until } from './livePage.js';

const EVIL = `<img src=x onerror="document.title='owned'">`;

interface Painter {
  getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray };
}

describe.skipIf(!chromiumIsThere('the live page is not opened in it'))('the live page in a browser', () => {
  let folder: string;
  let runs: string;
  let browser: BrowserContext;
  let server: ReturnType<typeof anatomy>;
  let url: string;
  const complaints: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'serve-'));
    runs = join(folder, 'runs');
    for (const name of ['first', 'second']) storeEvaluation(storeRun(join(runs, name)));
    const config = join(runs, 'second/config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^seed: .*$/m, 'seed: 1'));
    storeRun(join(runs, 'other'), { method: 'simclr', finished: false, lines: loggedLines(7) });
    mkdirSync(join(runs, 'first/report'));
    writeFileSync(join(runs, 'first/report/index.html'), '<h1>its report</h1>');
    server = anatomy('serve', runs, '--port', '0');
    url = await addressOf(server);
    browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: CHROMIUM,
      headless: true,
      args: OPTIONS,
    });
    browser.on('console', (message) => complaints.push(message.text()));
    browser.on('weberror', (error) => complaints.push(error.error().message));
  });
  afterAll(async () => {
    await browser?.close();
    server?.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  async function opened(hash = '', width = 1280): Promise<Page> {
    const page = await browser.newPage();
    await page.setViewportSize({ width, height: 844 });
    await page.goto(`${url}${hash}`);
    await page.locator('tbody td, .charts figure, .panels canvas, .scatter canvas').first().waitFor();
    return page;
  }

  const rows = (page: Page) =>
    page.$$eval('tbody tr', (all) => all.map((row) => row.textContent!.replace(/\s+/g, ' ').trim()));

  test('seeds are one row with the interval of their mean, and only settings that differ are columns', async () => {
    const page = await opened();
    expect(new URL(page.url()).search).toBe('');
    const found = await rows(page);
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/^first and 1 more ?2 finished ?anatomy/);
    expect(found[1]).toMatch(/^other ?interrupted 7\/40 ?simclr/);
    const heads = await page.$$eval('thead th', (all) => all.map((head) => head.textContent));
    expect(heads).toContain('method.maps');
    expect(heads).not.toContain('model.width');
    await page.getByLabel('Seeds as one row').uncheck();
    await eventually(() => rows(page)).toHaveLength(3);
    expect((await rows(page)).join()).toMatch(/\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]/);
    await page.getByRole('searchbox').fill('simclr');
    await eventually(() => rows(page)).toHaveLength(1);
    // What is chosen stands in the address, and so in a link.
    const again = await opened(new URL(page.url()).hash);
    expect(await rows(again)).toHaveLength(1);
    await again.getByRole('searchbox').fill('nothing is called so');
    await again.getByText('No run is like that').waitFor();
    await page.close();
    await again.close();
  });

  test('a row is sorted by any column, in both directions, by the keyboard too', async () => {
    const page = await opened('#/?seeds=apart');
    const head = page.getByRole('button', { name: 'Loss' });
    await head.focus();
    await page.keyboard.press('Enter');
    await eventually(async () => (await rows(page))[0]).toMatch(/^other/);
    await page.keyboard.press('Enter');
    await eventually(async () => (await rows(page)).at(-1)).toMatch(/^other/);
    await page.close();
  });

  test('a run that trains moves as one looks, and so do its curves', async () => {
    const page = await opened();
    const out = join(runs, 'live');
    const data = ['--data', 'phantom:breast,pairs=24', '--steps', '400'];
    const training = anatomy('pretrain', ...data, '--out', out, '--set', ...TINY);
    const step = async () => {
      const row = (await rows(page)).find((text) => text.startsWith('live'));
      return Number(/training (\d+)\/400/.exec(row ?? '')?.[1] ?? -1);
    };
    try {
      const early = await until(async () => ((await step()) > 0 ? step() : undefined), 'the run trains');
      await until(async () => ((await step()) > early ? true : undefined), 'the list goes on');
      expect((await rows(page)).find((text) => text.startsWith('live'))).toMatch(/ left/);
      await page.getByRole('link', { name: 'live', exact: true }).click();
      const caption = page.locator('figure', { hasText: /^loss/ }).locator('figcaption');
      const last = async () => Number(/at step (\d+)/.exec((await caption.textContent())!)![1]);
      await caption.getByText(/at step/).waitFor();
      const before = await last();
      await until(async () => ((await last()) > before ? true : undefined), 'the curve goes on');
      training.child.kill('SIGKILL');
      await ended(training.child);
      await page.getByText('no longer alive').waitFor();
    } finally {
      training.child.kill('SIGKILL');
    }
    await page.close();
    rmSync(out, { recursive: true });
  });

  test('a place that is pointed at is shown in every image, by every encoder, with the keyboard too', async () => {
    const settings = [...TINY, 'training.steps=2', 'training.checkpointEvery=1'];
    const data = ['--data', 'phantom:breast,pairs=24', '--set', ...settings];
    for (const name of ['seen', 'seen too']) {
      expect(await ended(anatomy('pretrain', ...data, '--out', join(runs, name)).child)).toBe(0);
    }
    const page = await opened('#/?search=seen&seeds=apart');
    for (const name of ['seen', 'seen too']) await page.getByLabel(`Choose ${name}`, { exact: true }).check();
    await page.getByRole('link', { name: 'Explore 2' }).click();
    const panels = page.locator('.panels canvas');
    await eventually(() => panels.count()).toBe(6); // two runs and the pixels, a and b
    const place = () => new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('at');
    const box = (await panels.first().boundingBox())!;
    await page.mouse.click(box.x + box.width * 0.25, box.y + box.height * 0.75);
    await eventually(place).toBe('0.25 0.75 0.25 0.75');
    await page.keyboard.press('ArrowRight');
    await eventually(place).toBe('0.3214 0.75 0.3214 0.75');
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.6);
    await page.mouse.up();
    await eventually(place).toBe('0.5 0.5 0.75 0.6');
    await page.mouse.move(0, 0);
    // The same picture again, from the address alone.
    const again = await opened(new URL(page.url()).hash);
    const picture = async (of: Page) =>
      (await of.locator('.panels canvas').first().screenshot()).toString('base64');
    await eventually(async () => (await picture(again)) === (await picture(page))).toBe(true);
    await again.close();
    await page.keyboard.press('n');
    await page.getByText('2 of 24').waitFor();
    expect(await faultsOf(page)).toBe('[]');
    await page.keyboard.press('p');
    await page.keyboard.press('p');
    await page.getByText('24 of 24').waitFor();
    // A region that holds every patch leaves nothing to compare, and no scale.
    const whole = await opened('#/explore?run=seen&map=4&at=0 0 1 1');
    await whole.getByText('nothing to agree outside the region').first().waitFor();
    expect(complaints).toEqual([]);
    await whole.close();
    const before = await picture(page);
    await page.mouse.move(box.x + 9, box.y + 9);
    await page.mouse.wheel(0, -400);
    await page.mouse.move(0, 0);
    await eventually(async () => (await picture(page)) === before).toBe(false);
    expect(await page.evaluate<number>('document.documentElement.scrollTop')).toBe(0);
    await page.close();
    await lesionsStepsAndNeighbours();
    await mapOfCases();
    for (const name of ['seen', 'seen too']) rmSync(join(runs, name), { recursive: true });
  });

  /** Parts of the test above, which has the runs. */
  async function lesionsStepsAndNeighbours(): Promise<void> {
    const page = await opened('#/explore?run=seen');
    await page.getByText('Magenta: the outline of the lesion.').waitFor();
    await page.getByRole('button', { name: 'Larger' }).click();
    await page.getByRole('button', { name: 'whole image' }).click();
    const slider = page.getByLabel(/Checkpoint/);
    await slider.fill('0');
    await page.getByText('at step 1').waitFor();
    await page.getByText('Checkpoint: step 1').waitFor();
    await slider.fill('2');
    await page.getByText('Checkpoint: the encoder at last').waitFor();
    await page.getByText('Nearest cases').click();
    await page
      .getByText(/its own image is number \d+ of 24/)
      .first()
      .waitFor();
    expect(await faultsOf(page)).toBe('[]');
    await page.locator('.nearest a').first().click();
    await page.getByText(/, 1 of 24\. Click/).waitFor({ state: 'detached' });
    await page.close();
  }

  async function mapOfCases(): Promise<void> {
    const page = await opened('#/cases?run=seen');
    const canvas = page.locator('.scatter canvas');
    expect(await faultsOf(page)).toBe('[]');
    const box = (await canvas.boundingBox())!;
    const at = (x: number, y: number) => [box.x + x * box.width, box.y + y * box.height] as const;
    // A lasso around everything chooses all samples, whose ids can be saved.
    await page.mouse.move(...at(0.01, 0.01));
    await page.mouse.down();
    for (const [x, y] of [
      [0.99, 0.01],
      [0.99, 0.99],
      [0.01, 0.99],
    ] as const)
      await page.mouse.move(...at(x, y));
    await page.mouse.up();
    await page.getByText('24 chosen').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByText('Save as CSV').click(),
    ]);
    const list = readFileSync((await download.path())!, 'utf8')
      .trim()
      .split('\n');
    expect(list).toHaveLength(25);
    expect(list[0]).toBe('id,reason');
    await page.getByRole('button', { name: 'Clear' }).click();
    // A row shows its image on the map, and is reached by the keyboard.
    await page.getByPlaceholder('id, label, subject').fill('breast-0005');
    await eventually(() => page.locator('.cases tbody a').count()).toBe(1);
    await page.locator('.cases tbody a').focus();
    await eventually(() => page.locator('.shown strong').textContent()).toBe('breast-0005');
    await page.getByLabel('Choose breast-0005').check();
    await page.getByText('1 chosen').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByPlaceholder('id, label, subject').fill('');
    // The first image of a, which is shown when it is pointed at; a click explores it.
    const { points } = await page.evaluate(async () => {
      const response = await fetch('/api/cases?run=seen&kind=pca&features=pooled');
      return (await response.json()) as CaseMap;
    });
    const [first] = placed(Object.values(points));
    const now = (await canvas.boundingBox())!;
    await page.mouse.move(now.x + first!.x * now.width, now.y + first!.y * now.height);
    const caption = page.locator('.shown strong');
    await caption.waitFor();
    const id = (await caption.textContent())!;
    await eventually(() =>
      page.$$eval('.thumbnails img', (all) => all.every((image) => image.matches(':not([src=""])'))),
    ).toBe(true);
    await page.mouse.down();
    await page.mouse.up();
    await page.locator('.panels canvas').first().waitFor();
    expect(await page.getByLabel('Sample', { exact: true }).last().inputValue()).toBe(id);
    await page.close();
  }

  test('what the audit finds is decided on, and the list is written once it is confirmed', async () => {
    const { manifest } = await tinyPairs(join(folder, 'images'), 4);
    // The image of a case that is called benign is also that of one called malignant.
    copyFileSync(join(folder, 'images/x0-a.png'), join(folder, 'images/x7-a.png'));
    storeRun(join(runs, 'audited'));
    const config = join(runs, 'audited/config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^( *path:).*$/m, `$1 ${manifest}`));
    const page = await browser.newPage();
    await page.goto(`${url}#/data?run=audited`);
    const write = page.getByRole('button', { name: 'Write the list …' });
    await write.waitFor();
    const item = page.locator('.item', { hasText: /^x7/ }).first();
    expect(await item.getByLabel('drop').isChecked()).toBe(true);
    await item.locator('img').first().scrollIntoViewIfNeeded();
    await eventually(() =>
      item
        .locator('img')
        .evaluateAll((all) => (all as { naturalWidth?: number }[]).every((one) => one.naturalWidth! > 0)),
    ).toBe(true);
    await item.getByLabel('wrong label').check();
    await page.locator('.item', { hasText: /^x0/ }).first().getByLabel('keep').check();
    // The decisions outlive a reload.
    await page.reload();
    await write.waitFor();
    expect(await item.getByLabel('wrong label').isChecked()).toBe(true);
    expect(await faultsOf(page)).toBe('[]');
    await write.click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(existsSync(join(runs, 'drop.csv'))).toBe(false);
    await write.click();
    expect(await faultsOf(page)).toBe('[]');
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await page.getByText(`Written to ${join(runs, 'drop.csv')}`).waitFor();
    const list = readFileSync(join(runs, 'drop.csv'), 'utf8');
    expect(list).toContain('x7,wrong label');
    expect(list).not.toContain('x0,');
    await write.click();
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await page.getByText('drop.csv exists. Replace it').waitFor();
    await page.getByRole('button', { name: 'Replace' }).click();
    await page.getByText('Written to').waitFor();
    expect(complaints.filter((words) => !words.includes('409'))).toEqual([]);
    complaints.length = 0; // Chromium logs the question of the server
    await page.close();
    for (const name of ['audited', 'drop.csv']) rmSync(join(runs, name), { recursive: true });
  });

  test('a run whose data are gone says so in the explorer', async () => {
    const page = await browser.newPage();
    await page.goto(`${url}#/explore?run=first`);
    await page
      .getByRole('alert')
      .getByText(/pairs.csv/)
      .waitFor();
    await page.close();
    complaints.length = 0; // Chromium logs the refusal
  });

  test('compared runs share the charts, with chance, smoothing and a way to leave one out', async () => {
    const page = await opened();
    for (const name of ['first', 'other']) await page.getByLabel(`Choose ${name}`).check();
    await page.getByRole('link', { name: 'Compare 3' }).click();
    const figure = page.locator('figure', { hasText: /^consistency/ });
    await figure.getByText('Dashed: chance').waitFor();
    await figure.locator('canvas').waitFor();
    expect(await figure.locator('.last').count()).toBe(3);
    await page.getByLabel('Smoothing').fill('0.5');
    await eventually(() => new URL(page.url()).hash).toContain('smooth=0.5');
    await page.getByRole('button', { name: 'Leave out second' }).click();
    await eventually(() => figure.locator('.last').count()).toBe(2);
    // The colour of the first curve, which may be mixed with what is below.
    const drawn = await figure.locator('canvas').evaluate((found) => {
      const canvas = found as unknown as { width: number; height: number; getContext(kind: '2d'): Painter };
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.some((_, i) => i % 4 === 0 && data[i] === 15 && data[i + 1] === 123 && data[i + 2] === 191);
    });
    expect(drawn).toBe(true);
    await page.close();
  });

  for (const width of [390, 1280]) {
    test(`${width} pixels: nothing is wider than the screen, and axe finds no fault, light and dark`, async () => {
      const compare = '#/compare?run=first&run=second';
      for (const [hash, scheme] of [
        ['', 'light'],
        ['', 'dark'],
        [compare, 'light'],
        [compare, 'dark'],
      ] as const) {
        const page = await opened(hash, width);
        await page.emulateMedia({ colorScheme: scheme });
        expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
          width,
        );
        expect(await faultsOf(page), `${hash} ${scheme}`).toBe('[]');
        await page.close();
      }
    });
  }

  test('names and words of runs are shown as they are, and never run', async () => {
    const evil = storeRun(join(runs, EVIL), { finished: false });
    writeFileSync(join(evil, 'failure.json'), JSON.stringify({ step: 3, reason: EVIL }));
    const page = await opened('#/?seeds=apart');
    await page.getByText(EVIL, { exact: true }).first().waitFor();
    await page.getByText(EVIL, { exact: true }).first().click();
    await page.locator('.legend', { hasText: EVIL }).waitFor();
    expect(await page.title()).toBe('anatomy: runs');
    await page.close();
    rmSync(evil, { recursive: true });
  });

  test('a thousand runs keep a few rows in the page and scroll to the last', async () => {
    const many = join(runs, 'many');
    for (let i = 0; i < 1000; i += 1) {
      const name = join(many, `run-${String(i).padStart(4, '0')}`);
      mkdirSync(name, { recursive: true });
      writeFileSync(join(name, 'config.yaml'), readFileSync(join(runs, 'first/config.yaml')));
      writeFileSync(join(name, 'train.log'), '');
    }
    const page = await opened('#/?seeds=apart');
    await page.getByText('1003 runs').waitFor();
    expect((await rows(page)).length).toBeLessThan(80);
    await page.locator('.rows').evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await page.getByText('second', { exact: true }).waitFor();
    // The same as the runs of an experiment.
    storeExperiment(many, { name: 'a thousand' });
    await page.locator('.rows').evaluate((box) => box.scrollTo(0, 0));
    await page.getByText('a thousand').waitFor();
    expect((await rows(page)).length).toBeLessThan(80);
    await page.getByRole('button', { name: 'a thousand' }).click();
    await eventually(async () => (await rows(page)).length).toBe(4);
    await page.close();
    rmSync(many, { recursive: true });
  });

  test('an experiment is a group that is closed, searched and sorted, and its counts move', async () => {
    const out = join(runs, 'grid');
    storeExperiment(out, {
      name: 'the grid',
      cells: ['ours', 'authors'].flatMap((row) => [`${row}/seed-0/pretrain`, `${row}/seed-0/logreg`]),
    });
    for (const seed of [0, 1]) storeEvaluation(storeRun(join(out, `runs/ours/seed-${seed}`)));
    storeRun(join(out, 'runs/authors/seed-0'), { lines: loggedLines(2) });
    storeCells(out, 'ours', { auc: 0.8 });
    mkdirSync(join(out, 'report'));
    writeFileSync(join(out, 'report/index.html'), '<h1>the grid’s report</h1>');
    const torn = join(runs, 'torn');
    mkdirSync(torn);
    writeFileSync(join(torn, 'experiment.json'), `{"name": "${EVIL.replaceAll('"', "'")}`);
    const page = await opened();
    const line = page.locator('tr.experiment', { hasText: 'the grid' });
    await line.getByText('2/4 cells').waitFor();
    await line.getByText('2 left').waitFor();
    await page.getByText(/torn\/experiment.json: is not of this version, or damaged/).waitFor();
    const inside = page.locator('tr.inside:has(input)');
    expect((await inside.allTextContents()).map((text) => /^(Ours|authors)/.exec(text)?.[1])).toEqual([
      'Ours',
      'authors',
    ]);
    expect(await faultsOf(page)).toBe('[]');
    // A cell begins and ends while the page is open.
    const words = { doing: 'at work', onInfo: () => {} };
    const lease = await takeLease(experimentPaths(out).atWorkOn('authors/seed-0/pretrain'), words);
    await line.getByText('1 running').waitFor();
    await line.getByText('about 3 min left').waitFor({ state: 'detached' });
    await line.getByText('about 2 min left').waitFor();
    storeCells(out, 'authors', { auc: 0.7 });
    lease.release();
    await line.getByText('4/4 cells').waitFor();
    // Closed, also by the link; a search opens what it finds.
    await line.getByRole('button', { name: 'the grid' }).click();
    await eventually(() => inside.count()).toBe(0);
    const again = await opened(new URL(page.url()).hash);
    expect(await again.locator('tr.inside:has(input)').count()).toBe(0);
    await again.getByRole('searchbox').fill('grid authors');
    await eventually(() => again.locator('tr.inside:has(input)').count()).toBe(1);
    expect(await rows(again)).toHaveLength(2);
    expect(await faultsOf(again)).toBe('[]');
    await again.close();
    await line.getByRole('button', { name: 'the grid' }).click();
    await page.getByRole('button', { name: 'Loss' }).click();
    await page.getByLabel('Seeds as one row').uncheck();
    await eventually(() => inside.count()).toBe(3);
    await eventually(async () => (await inside.allTextContents())[0]).toContain('authors');
    await page.getByRole('button', { name: 'Loss' }).click();
    await eventually(async () => (await inside.allTextContents()).at(-1)).toContain('authors');
    await page.getByLabel('Choose the grid').check();
    await page.getByRole('link', { name: 'Compare 3' }).waitFor();
    const [report] = await Promise.all([browser.waitForEvent('page'), line.getByText('report').click()]);
    await report.getByText('the grid’s report').waitFor();
    await report.close();
    await page.close();
    for (const folder of [out, torn]) rmSync(folder, { recursive: true });
  });

  test('the report of a run is a click away', async () => {
    const page = await opened('#/?seeds=apart');
    const [report] = await Promise.all([browser.waitForEvent('page'), page.getByText('report').click()]);
    await report.getByText('its report').waitFor();
    await report.close();
    await page.close();
  });

  test('an empty folder says what to do', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const other = anatomy('serve', empty, '--port', '0');
    const address = await addressOf(other);
    const page = await browser.newPage();
    await page.goto(address);
    await page.getByText('anatomy pretrain --data manifest.csv').waitFor();
    storeRun(join(empty, 'now'));
    await page.getByText('1 runs').waitFor();
    await page.close();
    other.child.kill('SIGINT');
    expect(await ended(other.child)).toBe(0);
  });

  test('data are looked through before there is a run, and those of a run are a choice away', async () => {
    const { manifest } = await tinyPairs(join(folder, 'own'), 4);
    const later = join(folder, 'later');
    const other = anatomy('serve', later, '--data', manifest, '--port', '0');
    const address = await until(() => /^http:\S+/m.exec(other.said())?.[0], 'it prints its address');
    const page = await browser.newPage();
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(address);
    await page.getByText(`anatomy pretrain --data ${manifest} --out ${later}/first`).waitFor();
    expect(await faultsOf(page)).toBe('[]');
    await page.getByRole('link', { name: 'look at the data' }).click();
    await page.getByText('8 samples').first().waitFor();
    expect(new URL(page.url()).hash).toBe('#/data');
    expect(await faultsOf(page)).toBe('[]');
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    // A run comes, of other data, and there is a choice.
    const { manifest: its } = await tinyPairs(join(folder, 'its'), 3, 8);
    const config = join(storeRun(join(later, 'now')), 'config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^( *path:).*$/m, `$1 ${its}`));
    await page.getByRole('combobox').selectOption('of now');
    await page.getByText('6 samples').first().waitFor();
    expect(new URL(page.url()).hash).toBe('#/data?run=now');
    await page.getByRole('combobox').selectOption(`--data ${manifest}`);
    await page.getByText('8 samples').first().waitFor();
    expect(await faultsOf(page)).toBe('[]');
    const again = await browser.newPage();
    await again.goto(`${address}#/data`);
    await again.getByText('8 samples').first().waitFor();
    expect(complaints).toEqual([]);
    await again.close();
    await page.close();
    other.child.kill('SIGINT');
    expect(await ended(other.child)).toBe(0);
  });

  // The last one, as it ends the server.
  test('Ctrl-C ends it at once under an open page, which says so', async () => {
    const page = await opened();
    expect(complaints).toEqual([]);
    server.child.kill('SIGINT');
    expect(await ended(server.child)).toBe(0);
    await page.getByRole('alert').getByText('The server has ended').waitFor();
    expect(await rows(page)).toHaveLength(2);
    await page.close();
  });
});
