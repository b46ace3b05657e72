import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BRIGHT_FROM, volumeRun } from '../server/volumeRun.js';
import { CHROMIUM, chromiumIsThere, OPTIONS } from './chromium.js';
import { anatomy, ended, eventually, faultsOf, until } from './livePage.js';

/** WebGL 2 by the processor, which is there without a graphics card too. */
const DRAWN_IN_SOFTWARE = ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'];

describe.skipIf(!chromiumIsThere('volumes are not opened in it'))('volumes in the live page', () => {
  let folder: string;
  let images: string;
  let server: ReturnType<typeof anatomy>;
  let url: string;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'volumes-'));
    images = join(folder, 'images');
    const root = join(folder, 'runs/run');
    await volumeRun(images, root);
    // The server is another process, which does not know where this one had its data.
    const config = join(root, 'config.yaml');
    const stored = readFileSync(config, 'utf8');
    writeFileSync(config, stored.replace(/^( *path:).*$/m, `$1 ${join(images, 'pairs.csv')}`));
    server = anatomy('serve', join(folder, 'runs'), '--port', '0');
    url = await until(() => /^http:\S+/m.exec(server.said())?.[0], 'the server prints its address');
    browser = await launched(DRAWN_IN_SOFTWARE);
  });
  afterAll(async () => {
    await browser?.close();
    server?.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const launched = (args: readonly string[]) =>
    chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...OPTIONS, ...args] });

  /** A page, with what it asked for and what it complained of. */
  async function opened(
    sample: number,
    { from = browser, width = 1280, address = url } = {},
  ): Promise<{ page: Page; asked: string[]; complaints: string[] }> {
    const context = await from.newContext({ viewport: { width, height: 844 } });
    const asked: string[] = [];
    const complaints: string[] = [];
    context.on('request', (request) => asked.push(request.url()));
    context.on('console', (message) => {
      // How the driver feels about screenshots is no fault of the page.
      if (!message.text().includes('GL Driver Message')) complaints.push(message.text());
    });
    context.on('weberror', (error) => complaints.push(error.error().message));
    const page = await context.newPage();
    await page.goto(`${address}#/explore?run=run&sample=${sample}`);
    await page.getByText(/of 16\. Click/).waitFor();
    return { page, asked, complaints };
  }

  const slider = (page: Page) => page.getByRole('slider', { name: /^Slice/ });
  const volume = (page: Page, modality: string) =>
    page.getByRole('img', { name: `The volume of ${modality}` });
  const drawn = (page: Page) =>
    eventually(() => page.locator('.volume canvas[data-shown="true"]').count()).toBe(2);
  const sampleOf = (page: Page) => page.getByLabel('Sample', { exact: true }).inputValue();

  /** The brightness of the quarters of a picture, upper left first, lower right last, without the crosshair in the middle. */
  async function quarters(of: Locator): Promise<number[]> {
    const { data, info } = await sharp(await of.screenshot())
      .removeAlpha()
      .resize(16, 16, { fit: 'fill' })
      .raw()
      .toBuffer({ resolveWithObject: true });
    const blue = (x: number, y: number) => data[(y * info.width + x) * info.channels + 2]!;
    return [
      [4, 4],
      [11, 4],
      [4, 11],
      [11, 11],
    ].map(([x, y]) => blue(x!, y!));
  }
  const isBright = async (of: Locator) => {
    const [own, ...others] = await quarters(of);
    return own! > Math.max(...others) + 80;
  };

  /** Where the red lines of a picture cross, as shares of its width and height. */
  async function crosshair(of: Locator): Promise<[across: number, down: number]> {
    const { data, info } = await sharp(await of.screenshot())
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    const columns = new Array<number>(width).fill(0);
    const rows = new Array<number>(height).fill(0);
    for (let i = 0; i < width * height; i += 1) {
      if (data[3 * i]! < 150 || data[3 * i + 1]! > 80) continue;
      columns[i % width]! += 1;
      rows[Math.floor(i / width)]! += 1;
    }
    const most = (counts: readonly number[]) => counts.indexOf(Math.max(...counts)) / counts.length;
    return [most(columns), most(rows)];
  }

  test('nothing of Niivue is asked for before a volume is opened, and then its slices follow the slider', async () => {
    const { page, asked, complaints } = await opened(2);
    const ofVolume = () => asked.filter((one) => /niivue|\/api\/volume/.test(one));
    await page.getByText('Show the volume').waitFor();
    expect(ofVolume()).toEqual([]);
    await page.getByText('Show the volume').click();
    await drawn(page);
    expect(ofVolume().filter((one) => one.includes('niivue'))).toHaveLength(1);
    expect(asked.filter((one) => !one.startsWith(new URL(url).origin) && !one.startsWith('data:'))).toEqual(
      [],
    );
    await page.getByText('Slice 7 of 10: p0/x=006').waitFor();
    for (const modality of ['a', 'b']) await eventually(() => isBright(volume(page, modality))).toBe(true);
    // A slice that is no sample is shown, and nothing else is explored.
    await slider(page).focus();
    await page.keyboard.press('Home');
    await page.getByText('Slice 1 of 10: no sample of this run').waitFor();
    expect(await slider(page).getAttribute('aria-valuetext')).toBe('slice 1 of 10, no sample of this run');
    for (const modality of ['a', 'b']) await eventually(() => isBright(volume(page, modality))).toBe(false);
    expect(await sampleOf(page)).toBe('p0/x=006');
    // One that is a sample is explored.
    for (let i = 0; i < 4; i += 1) await page.keyboard.press('ArrowRight');
    await page.getByText('Slice 5 of 10: p0/x=004').waitFor();
    await eventually(() => sampleOf(page)).toBe('p0/x=004');
    for (const modality of ['a', 'b']) expect(await isBright(volume(page, modality))).toBe(false);
    await page.keyboard.press('ArrowRight');
    await page.getByText(`Slice ${BRIGHT_FROM + 1} of 10: no sample of this run`).waitFor();
    for (const modality of ['a', 'b']) await eventually(() => isBright(volume(page, modality))).toBe(true);
    await page.getByRole('button', { name: 'Next sample' }).click();
    await page.getByText('Slice 7 of 10: p0/x=006').waitFor();
    expect(ofVolume().filter((one) => one.includes('/api/volume?'))).toHaveLength(2); // they were kept
    expect(complaints).toEqual([]);
  });

  test('places are the same in all modalities and planes, and the wheel leaves it to a button to explore', async () => {
    const { page, complaints } = await opened(2);
    await page.getByText('Show the volume').click();
    await drawn(page);
    const before = await volume(page, 'b').screenshot();
    await volume(page, 'a').scrollIntoViewIfNeeded();
    const box = (await volume(page, 'a').boundingBox())!;
    await page.mouse.click(box.x + box.width * 0.8, box.y + box.height * 0.7);
    await eventually(async () => before.equals(await volume(page, 'b').screenshot())).toBe(false);
    for (const modality of ['a', 'b']) {
      const [across, down] = await crosshair(volume(page, modality));
      expect(across).toBeCloseTo(0.8, 1);
      expect(down).toBeCloseTo(0.7, 1);
    }
    await page.getByText('Slice 7 of 10').waitFor();
    await page.mouse.wheel(0, -100);
    await page.getByText(/^Slice (6|8) of 10/).waitFor();
    await page.mouse.wheel(0, -100);
    await page.getByText(/^Slice (5|9) of 10/).waitFor();
    expect(await sampleOf(page)).toBe('p0/x=006');
    await page.getByRole('button', { name: 'Explore this slice' }).click();
    await eventually(() => sampleOf(page)).toMatch(/^p0\/x=00[48]$/);
    const alone = await volume(page, 'a').screenshot();
    await page.getByLabel('Three planes').check();
    await eventually(async () => alone.equals(await volume(page, 'a').screenshot())).toBe(false);
    expect(complaints).toEqual([]);
  });

  test('another case brings its own volumes', async () => {
    const { page, asked } = await opened(3);
    await page.getByText('Show the volume').click();
    await drawn(page);
    await page.getByRole('button', { name: 'Next sample' }).click();
    await page.getByText('Slice 3 of 10: p1/x=002').waitFor();
    await drawn(page);
    const files = asked.filter((one) => one.includes('/api/volume?'));
    expect(files.map((one) => new URL(one).searchParams.get('sample'))).toEqual(['0', '0', '4', '4']);
  });

  test('a file that is gone is named, and its slices are still shown as the run sees them', async () => {
    const file = join(images, 'p2-b.nii');
    renameSync(file, `${file}.away`);
    const { page, complaints } = await opened(10);
    await page.getByText('Show the volume').click();
    await page.getByRole('alert').getByText(`${file}: cannot be read: no such file`).waitFor();
    await eventually(() => page.locator('.volume canvas[data-shown="true"]').count()).toBe(1);
    await eventually(() => isBright(page.locator('.volume img'))).toBe(true);
    await slider(page).fill('2');
    await page.getByText('Slice 3 of 10: p2/x=002').waitFor();
    await eventually(() => isBright(page.locator('.volume img'))).toBe(false);
    await slider(page).fill('3');
    await page.getByText('of this slice the run has no image').waitFor();
    renameSync(`${file}.away`, file);
    expect(complaints).toEqual([]);
  });

  test('without WebGL 2 the page says so, loads no Niivue, and the slider shows the run’s images', async () => {
    const bare = await launched(['--disable-3d-apis']);
    const { page, asked, complaints } = await opened(2, { from: bare });
    await page.getByText('Show the volume').click();
    await page.getByRole('alert').getByText('This browser has no WebGL 2').waitFor();
    await eventually(() => isBright(page.locator('.volume img').first())).toBe(true);
    await slider(page).fill('2');
    await eventually(() => sampleOf(page)).toBe('p0/x=002');
    await eventually(() => isBright(page.locator('.volume img').first())).toBe(false);
    expect(await faultsOf(page)).toBe('[]');
    expect(asked.filter((one) => /niivue|\/api\/volume\?/.test(one))).toEqual([]);
    expect(complaints).toEqual([]);
    await bare.close();
  });

  for (const width of [390, 1280]) {
    test(`${width} pixels: nothing is wider than the screen, and axe finds no fault, light and dark`, async () => {
      const { page } = await opened(2, { width });
      await page.getByText('Show the volume').click();
      await drawn(page);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await faultsOf(page), colorScheme).toBe('[]');
      }
    });
  }

  test('nothing of it is offered to the public', async () => {
    const open = anatomy('serve', join(folder, 'runs'), '--port', '0', '--public');
    const address = await until(() => /^http:\S+/m.exec(open.said())?.[0], 'it prints its address');
    const { page } = await opened(2, { address });
    await page.getByText('Nearest cases').waitFor();
    expect(await page.getByText('Show the volume').count()).toBe(0);
    open.child.kill('SIGINT');
    await ended(open.child);
  });
});
