// npm run bench:parity: the features of the same images by `anatomy embed`, by ONNX in Node and in Chromium (with the
// preprocessing inside the model, where halves of 8-bit values may be rounded to the other side; in Node also without) and
// by PyTorch, for each backbone: the largest difference to `embed` in fp32, as a share of the largest feature. Needs python3-torch, python3-torchvision and chromium; what is missing is left out.
// Options: --images FOLDER (of PNG or JPEG, each at least 128 pixels on a side) --count 64 --size 64
//          --only vgg16_bn,resnet18 --python /usr/bin/python3 --chromium /usr/bin/chromium
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { resize } from '../dist/data/images/resize.js';
import { embed, exportOnnx, exportTorchvision, pretrain, resolveConfig, tidy } from '../dist/index.js';
import { backboneNames } from '../dist/nn/index.js';
import { prepared } from '../dist/use/checkOnnx.js';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, {
  images: { type: 'string' },
  count: { type: 'string', default: '64' },
  size: { type: 'string', default: '64' },
  only: { type: 'string' },
  python: { type: 'string', default: '/usr/bin/python3' },
  chromium: { type: 'string', default: '/usr/bin/chromium' },
});
if (options.images === undefined) {
  console.error('error: --images is missing; name a folder of PNG or JPEG images');
  process.exit(2);
}
const [count, size] = [options.count, options.size].map(Number);
const side = 2 * size;
const folder = mkdtempSync(join(tmpdir(), 'parity-'));
const files = readdirSync(options.images)
  .filter((name) => /\.(png|jpe?g)$/i.test(name))
  .sort()
  .slice(0, count)
  .map((name) => resolve(options.images, name));

/** The pixels of each image, as a model with preprocessing takes them. */
const images = [];
for (const file of files) {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (Math.min(width, height) < side)
    throw new Error(`${file}: is ${width} × ${height}, expected at least ${side}`);
  images.push({ width, height, channels, data: new Uint8Array(data) });
}
const manifest = join(folder, 'images.csv');
writeFileSync(manifest, `id,a\n${files.map((file, i) => `x${i},"${file}"`).join('\n')}\n`);
// PyTorch is given what the cache holds: resizing to 8 bits is held against PyTorch by tests.
const planes = images.map((image) => {
  const square = resize(image, side, side);
  return Uint8Array.from({ length: 3 * side * side }, (_, at) => {
    const [plane, pixel] = [Math.floor(at / side ** 2), at % side ** 2];
    return square.data[pixel * square.channels + Math.min(plane, square.channels - 1)];
  });
});
writeFileSync(join(folder, 'squares.bin'), Buffer.concat(planes));

function share(found, expected) {
  let [apart, largest] = [0, 0];
  for (let i = 0; i < expected.length; i += 1) {
    apart = Math.max(apart, Math.abs(found[i] - expected[i]));
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  if (found.length !== expected.length || !(largest > 0))
    throw new Error(`${found.length} of ${expected.length} features`);
  return apart / largest;
}

const floats = (file, from = 0) => new Float32Array(new Uint8Array(readFileSync(file).subarray(from)).buffer);

/** @param inputOf the input of a model from ONNX Runtime and an image */
async function inNode(model, inputOf) {
  const { default: ort } = await import('onnxruntime-node');
  const session = await ort.InferenceSession.create(model);
  const found = [];
  for (const image of images) found.push(...(await session.run(inputOf(ort, image))).features.data);
  await session.release();
  return found;
}

const whole = (ort, { width, height, channels, data }) => ({
  image: new ort.Tensor('uint8', data, [height, width, channels]),
});
const resized = (ort, image) => ({
  images: new ort.Tensor(
    'float32',
    tidy(() => prepared(image, { size, cacheSize: side }).toArray()),
    [1, 3, size, size],
  ),
});

async function inChromium(model) {
  const { chromium } = await import('playwright-core');
  const web = fileURLToPath(new URL('../node_modules/onnxruntime-web/dist/', import.meta.url));
  const types = { mjs: 'text/javascript', wasm: 'application/wasm', html: 'text/html' };
  const server = createServer(({ url }, response) => {
    const [, number] = /^\/image(\d+)$/.exec(url) ?? [];
    const file = join(web, url.slice(1));
    const body =
      url === '/'
        ? '<!doctype html>'
        : url === '/model'
          ? readFileSync(model)
          : number !== undefined
            ? images[number].data
            : existsSync(file)
              ? readFileSync(file)
              : '';
    response.writeHead(200, {
      'content-type': types[url.split('.').at(-1)] ?? (url === '/' ? types.html : 'application/octet-stream'),
    });
    response.end(body);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await chromium.launch({
    executablePath: options.chromium,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return await page.evaluate(
      `(async (shapes) => {
        const ort = await import('./ort.wasm.bundle.min.mjs');
        ort.env.wasm.numThreads = 1;
        const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
        const session = await ort.InferenceSession.create(await bytes('model'));
        const found = [];
        for (const [i, shape] of shapes.entries()) {
          const image = new ort.Tensor('uint8', await bytes('image' + i), shape);
          found.push(...(await session.run({ image })).features.data);
        }
        return found;
      })(${JSON.stringify(images.map(({ height, width, channels }) => [height, width, channels]))})`,
    );
  } finally {
    await browser.close();
    server.close();
  }
}

function inPython(backbone, weights) {
  const out = join(folder, 'features.bin');
  const script = fileURLToPath(new URL('parity.py', import.meta.url));
  const words = [script, backbone, size, images.length, side, weights, join(folder, 'squares.bin'), out];
  const { status, stderr } = spawnSync(options.python, words.map(String), { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return floats(out);
}

const able = {
  Python: spawnSync(options.python, ['-c', 'import torchvision']).status === 0,
  Chromium: existsSync(options.chromium),
};
console.log(
  `${images.length} images, ${size}²; largest difference to embed, as a share of the largest feature`,
);
console.log('| backbone | ONNX, Node | with preprocessing | in Chromium | PyTorch |\n|---|---|---|---|---|');
try {
  for (const backbone of options.only?.split(',') ?? backboneNames) {
    const run = join(folder, backbone);
    const cacheFolder = join(folder, 'cache');
    // Random weights, with batch norm that has seen the images: nothing cancels or dies.
    const config = resolveConfig({
      set: ['method=random', `model.backbone=${backbone}`, `data.size=${size}`, 'data.columns={b: null}'],
      flags: { 'data.path': manifest, 'data.cacheFolder': cacheFolder },
    });
    await pretrain(config, { out: run });
    const out = join(folder, `${backbone}.npy`);
    await embed({ run, out, precision: 'fp32', cacheFolder });
    const ours = floats(out, 10 + readFileSync(out).readUInt16LE(8));
    const { file } = await exportOnnx({ run, out: join(folder, `${backbone}.onnx`), preprocess: true });
    const network = await exportOnnx({ run, out: join(folder, `${backbone}-network.onnx`) });
    const weights = join(folder, `${backbone}.safetensors`);
    await exportTorchvision({ run, out: weights });
    const shares = [
      share(await inNode(network.file, resized), ours),
      share(await inNode(file, whole), ours),
      able.Chromium ? share(await inChromium(file), ours) : undefined,
      able.Python ? share(inPython(backbone, weights), ours) : undefined,
    ];
    console.log(`| ${backbone} | ${shares.map((value) => value?.toExponential(1) ?? '–').join(' | ')} |`);
    rmSync(run, { recursive: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
