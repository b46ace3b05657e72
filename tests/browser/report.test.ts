import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeExperimentReport } from '../../src/experiments/report/writeExperimentReport.js';
import { evaluationId, experimentPaths } from '../../src/experiments/stored/folder.js';
import { MessageConsole } from '../../src/log/console.js';
import { writeReport } from '../../src/report/index.js';
import { description, storeCells, storeExperiment } from '../experiments/storedCells.js';
import { Capture } from '../log/capture.js';
import { storeEvaluation, storePairs, storePredictions, storeRun } from '../report/storedRun.js';
import { CHROMIUM, chromiumIsThere, OPTIONS } from './chromium.js';
import { eventually } from './livePage.js';

/** With all numbers that may stand beside the paper’s. */
function wideExperiment(folder: string): string {
  const root = join(folder, 'wide');
  storeExperiment(root, { rows: description.rows.slice(0, 1) });
  storeCells(root, 'ours', { auc: 0.83 });
  const file = experimentPaths(root).cell(evaluationId('ours', 0, { protocol: 'logreg' }));
  const cell = JSON.parse(readFileSync(file, 'utf8'));
  for (const row of cell.result.rows) {
    for (const name of ['f1', 'precision']) row.metrics[name] = row.metrics.accuracy;
    row.paperStyle = { label: 'best', epochs: [1], metrics: row.metrics };
  }
  writeFileSync(file, JSON.stringify(cell));
  return root;
}

/** A run whose intervals at the lesion have as many letters as there can be: all ends have signs. */
function negativeRun(folder: string): string {
  const root = storeRun(join(folder, 'negative'));
  storePairs(root);
  const file = join(root, 'evaluation', 'pairs.json');
  const record = JSON.parse(readFileSync(file, 'utf8'));
  for (const measure of record.measures) {
    Object.assign(measure, { low: -0.345, high: -0.123 });
    if (measure.againstRest !== undefined) Object.assign(measure.againstRest, { low: -0.345, high: -0.123 });
  }
  writeFileSync(file, JSON.stringify(record));
  return root;
}

describe.skipIf(!chromiumIsThere('reports are not opened in it'))('a report in a browser', () => {
  let folder: string;
  let browser: BrowserContext;
  const pages: Record<string, string> = {};

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'browser-'));
    const quiet = new MessageConsole({ stream: new Capture(false) });
    const runs = ['first', 'second'].map((name) => storeRun(join(folder, name)));
    for (const run of runs) {
      storeEvaluation(run);
      storePredictions(run);
      storePairs(run);
    }
    pages.run = (await writeReport([runs[0]!], { console: quiet })).page;
    pages.runs = (await writeReport(runs, { console: quiet, out: join(folder, 'both') })).page;
    pages.negative = (await writeReport([negativeRun(folder)], { console: quiet })).page;
    const experiment = join(folder, 'experiment');
    storeExperiment(experiment);
    storeCells(experiment, 'ours', { auc: 0.83 });
    storeCells(experiment, 'l-c-alone', { auc: 0.74 });
    pages.experiment = (await writeExperimentReport([experiment], { console: quiet })).page;
    pages.wide = (await writeExperimentReport([wideExperiment(folder)], { console: quiet })).page;
    browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: CHROMIUM,
      headless: true,
      args: OPTIONS,
    });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function opened(file: string, width: number): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      const address = request.url();
      if (!address.startsWith('data:') && address !== pathToFileURL(file).href) complaints.push(address);
    });
    await page.setViewportSize({ width, height: 900 });
    await page.goto(pathToFileURL(file).href);
    return { page, complaints };
  }

  for (const kind of ['run', 'runs', 'experiment']) {
    for (const width of [390, 1280]) {
      test(`${kind}, ${width} pixels: every figure is drawn and nothing is wider than the screen`, async () => {
        const { page, complaints } = await opened(pages[kind]!, width);
        const figures = await page.$$eval('figure > svg', (all) =>
          all.map((svg) => {
            const { width: across, height: down } = svg.getBoundingClientRect();
            const marks = svg.querySelectorAll('circle, path, rect, line, text').length;
            return { across, down, marks };
          }),
        );
        expect(figures.length).toBeGreaterThan(2);
        for (const { across, down, marks } of figures) {
          expect(across).toBeGreaterThan(250);
          expect(across).toBeLessThanOrEqual(width);
          expect(down).toBeGreaterThan(100);
          expect(marks).toBeGreaterThan(5);
        }
        // What is wider lies in a region that scrolls by itself, which the keyboard reaches.
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
        const regions = await page.$$eval('table', (all) =>
          all.map((table) => table.closest('[role=region][tabindex="0"]') !== null),
        );
        expect(regions).not.toContain(false);
        // Letters of a figure stay legible: its 11 pixels are at least 8 on the screen.
        const letters = await page.$$eval('figure > svg', (all) =>
          all.map((svg) => 11 * (svg.getBoundingClientRect().width / Number(svg.getAttribute('width')))),
        );
        expect(Math.min(...letters)).toBeGreaterThan(8);
        expect(complaints).toEqual([]);
        await page.close();
      });
    }
  }

  for (const width of [390, 1280]) {
    test(`${width} pixels: no line of a figure crosses its letters, and no heading of a table another`, async () => {
      const { page } = await opened(pages.run!, width);
      const crossed = await page.$$eval(
        'figure > svg',
        (all) =>
          all.flatMap((svg) => {
            const texts = [...svg.querySelectorAll('text')].map((one) => one.getBoundingClientRect());
            const lines = [
              ...svg.querySelectorAll('[aria-description="level"] line, [aria-label="rule"] line'),
            ];
            return lines.filter((line) => {
              const { left, right, top, bottom } = line.getBoundingClientRect();
              return texts.some(
                (box) => right > box.left && left < box.right && top < box.bottom - 2 && bottom > box.top + 2,
              );
            });
          }).length,
      );
      expect(crossed).toBe(0);
      // The cells of a row keep their distance: what ends at the right does not touch what begins at the left.
      const touching = await page.$$eval('tr', (rows) =>
        rows.flatMap((row) => {
          const boxes = [...row.children].map((cell) => {
            const range = cell.ownerDocument.createRange();
            range.selectNodeContents(cell);
            return range.getBoundingClientRect();
          });
          return boxes.flatMap((box, i) => {
            const next = boxes[i + 1];
            return next === undefined || next.width === 0 || box.width === 0 || next.left - box.right >= 4
              ? []
              : [row.textContent];
          });
        }),
      );
      expect(touching).toEqual([]);
      await page.close();
    });
  }

  for (const kind of ['run', 'negative']) {
    test(`${kind}: the table of the lesion fits a screen of 1,280 pixels whole, with its differences`, async () => {
      const { page } = await opened(pages[kind]!, 1280);
      const regions = page.locator('[role=region]').filter({ hasText: 'in − elsewhere' });
      expect(await regions.count()).toBe(1);
      const [inner, outer] = await regions.evaluate((box) => [box.scrollWidth, box.clientWidth]);
      expect(inner).toBeLessThanOrEqual(outer!);
      await page.close();
    });
  }

  test('a table that is wider than a narrow screen says in words that it scrolls, and no other does', async () => {
    const hints = async (page: Page) =>
      page.$$eval('[role=region]', (boxes) =>
        boxes.map((box) => {
          const words = box.ownerDocument.defaultView!.getComputedStyle(box, '::before');
          const told = words.visibility === 'visible' && words.content.includes('scroll sideways');
          return { told, scrolls: box.scrollWidth > box.clientWidth };
        }),
      );
    const narrow = (await opened(pages.run!, 390)).page;
    const found = await hints(narrow);
    expect(found.filter(({ scrolls }) => scrolls).length).toBeGreaterThan(2);
    expect(found.filter(({ told, scrolls }) => told !== scrolls)).toEqual([]);
    // At the last column there is nothing more to scroll to.
    await narrow.$$eval('[role=region]', (boxes) => {
      for (const box of boxes) box.scrollLeft = box.scrollWidth;
    });
    await eventually(async () => (await hints(narrow)).filter(({ told }) => told)).toEqual([]);
    await narrow.close();
    const wide = (await opened(pages.run!, 1280)).page;
    expect((await hints(wide)).filter(({ told, scrolls }) => told || scrolls)).toEqual([]);
    await wide.close();
  });

  for (const kind of ['run', 'runs', 'experiment', 'wide']) {
    test(`${kind}: prints to PDF without clipping a table`, async () => {
      const { page } = await opened(pages[kind]!, 1280);
      await page.emulateMedia({ media: 'print' });
      // A4 without its margins, at 96 dots per inch.
      await page.setViewportSize({ width: 688, height: 1000 });
      const clipped = await page.$$eval('table', (all) =>
        all.map((table) => table.getBoundingClientRect().right).filter((right) => right > 690),
      );
      expect(clipped).toEqual([]);
      const pdf = await page.pdf({ format: 'A4' });
      expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
      expect(pdf.length).toBeGreaterThan(20_000);
      await page.close();
    });
  }

  test('the test would see a page that asks the network or is too wide', async () => {
    const file = join(folder, 'bad.html');
    const wide = '<div style="width: 900px">wide</div><img src="other.png">';
    writeFileSync(file, readFileSync(pages.run!, 'utf8').replace('<main>', `<main>${wide}`));
    const { page, complaints } = await opened(file, 390);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeGreaterThan(390);
    expect(complaints.join()).toContain('Content Security Policy');
    await page.close();
  });
});
