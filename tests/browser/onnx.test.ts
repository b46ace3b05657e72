import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/export/onnx/exportOnnx.js';
import { Encoder, stateDict, vgg16 } from '../../src/nn/index.js';
import { disposeModule } from '../../src/nn/module.js';
import { noGrad, Random, type Tensor, tidy } from '../../src/tensor/index.js';
import { prepared } from '../../src/use/checkOnnx.js';
import { networkOf } from '../../src/use/exportRunOnnx.js';
import { outputsOf } from '../export/onnx/differences.js';
import { CHROMIUM, chromiumIsThere, OPTIONS } from './chromium.js';

/** The examples of the page are run as they stand there, with a model of the one kind and of the other. */
const repository = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(repository, 'docs/use.md'), 'utf8');
const example = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(page)![1]!;

const [SIZE, CACHE] = [32, 64];
const MIME = { html: 'text/html', mjs: 'text/javascript', wasm: 'application/wasm' } as const;

let folder: string;
let encoder: Encoder;
let network: (images: Tensor) => Record<string, Tensor>;
const image = { width: 101, height: 83, channels: 3 as const, data: new Uint8Array(101 * 83 * 3) };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'browser-onnx-'));
  encoder = new Encoder({ backbone: vgg16({ width: 0.25, batchNorm: true }), size: SIZE, embeddingSize: 20 });
  network = networkOf(encoder, 'imagenet');
  const options = { imageShape: [3, SIZE, SIZE], weights: stateDict(encoder) };
  const preprocess = { size: SIZE, cacheSize: CACHE };
  writeFileSync(join(folder, 'encoder.onnx'), exportOnnx(network, { ...options, preprocess }));
  writeFileSync(join(folder, 'network.onnx'), exportOnnx(network, options));
  const random = new Random('picture');
  for (const i of image.data.keys()) image.data[i] = random.below(256);
  const { width, height, channels } = image;
  await sharp(image.data, { raw: { width, height, channels } }).png().toFile(join(folder, 'image.png'));
});
afterAll(() => {
  disposeModule(encoder);
  rmSync(folder, { recursive: true, force: true });
});

/** What the product itself makes of the picture. */
function expectedFeatures(): number[] {
  const features = noGrad(() =>
    tidy(() => network(prepared(image, { size: SIZE, cacheSize: CACHE })).features!.toArray()),
  );
  return [...features].map(Number);
}

function largestShare(found: readonly number[], expected: readonly number[]): number {
  expect(found.length).toBe(expected.length);
  const difference = Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)));
  return difference / Math.max(...expected.map(Math.abs));
}

/** The sums of thirteen convolutions in f32; see tests/export/onnx/exportOnnx.test.ts. No value of the picture is a half. */
const TOLERANCE = 2e-6;

test('the example for Node prints the features of a picture', () => {
  const project = join(folder, 'project');
  mkdirSync(project);
  symlinkSync(join(repository, 'node_modules'), join(project, 'node_modules'));
  writeFileSync(join(project, 'features.mjs'), example('js'));
  const files = ['encoder.onnx', 'image.png'].map((name) => join(folder, name));
  const { stdout, stderr, status } = spawnSync(process.execPath, ['features.mjs', ...files], {
    cwd: project,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(largestShare(JSON.parse(stdout), expectedFeatures())).toBeLessThan(TOLERANCE);
});

describe.skipIf(!chromiumIsThere('models are not run in it'))('a model in Chromium', () => {
  let server: Server;
  let address: string;
  let browser: BrowserContext;

  beforeAll(async () => {
    writeFileSync(join(folder, 'index.html'), example('html'));
    const places = [folder, join(repository, 'node_modules/onnxruntime-web/dist')];
    server = createServer(({ url }, response) => {
      const name = url === '/' ? 'index.html' : url!.slice(1);
      const file = places.map((place) => join(place, name)).find(existsSync);
      const type = MIME[name.split('.').at(-1) as keyof typeof MIME] ?? 'application/octet-stream';
      response.writeHead(file === undefined ? 404 : 200, { 'content-type': type });
      response.end(file && readFileSync(file));
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: CHROMIUM,
      headless: true,
      args: OPTIONS,
    });
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function opened() {
    const tab = await browser.newPage();
    const complaints: string[] = [];
    tab.on('pageerror', (error) => complaints.push(error.message));
    tab.on('request', (request) => {
      if (!request.url().startsWith(address)) complaints.push(request.url());
    });
    await tab.goto(address);
    return { tab, complaints };
  }

  test('the example page shows the features of a picture that is chosen, and asks nobody else', async () => {
    const { tab, complaints } = await opened();
    // The page asks for the model when it is ready to take a picture.
    await tab.waitForFunction(`performance.getEntriesByName('${address}encoder.onnx').length > 0`);
    await tab.setInputFiles('input', join(folder, 'image.png'));
    await tab.waitForFunction('document.querySelector("pre").textContent.length > 0');
    const found = JSON.parse((await tab.textContent('pre'))!) as number[];
    expect(largestShare(found, expectedFeatures())).toBeLessThan(TOLERANCE);
    expect(complaints.filter((one) => !one.includes('favicon'))).toEqual([]);
    await tab.close();
  });

  test.each([1, 5])(
    'a batch of %i without preprocessing gives all outputs as LibTorch does',
    async (batch) => {
      const { tab } = await opened();
      const random = new Random('batch', batch);
      const images = Float32Array.from({ length: batch * 3 * SIZE * SIZE }, () => random.uniform());
      const shape = [batch, 3, SIZE, SIZE];
      const found = (await tab.evaluate(
        `(async () => {
        const ort = await import('./ort.wasm.bundle.min.mjs');
        ort.env.wasm.numThreads = 1;
        const session = await ort.InferenceSession.create('network.onnx');
        const images = new ort.Tensor('float32', Float32Array.from(${JSON.stringify([...images])}), [${shape}]);
        const outputs = await session.run({ images });
        return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, [...data]]));
      })()`,
      )) as Record<string, number[]>;
      const expected = outputsOf(network, images, shape);
      expect(Object.keys(found)).toEqual(Object.keys(expected));
      for (const [name, { data }] of Object.entries(expected)) {
        expect(largestShare(found[name]!, [...data]), name).toBeLessThan(TOLERANCE);
      }
      await tab.close();
    },
  );
});
