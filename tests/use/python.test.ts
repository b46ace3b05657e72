import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { readSafetensors } from '../../src/export/safetensors.js';
import { MessageConsole } from '../../src/log/console.js';
import { Random } from '../../src/tensor/index.js';
import { pretrain } from '../../src/training/pretrain.js';
import { embedData } from '../../src/use/embed/embed.js';
import { exportSafetensors, exportTorchvision } from '../../src/use/exportWeights.js';

const PYTHON = '/usr/bin/python3';
const has = (modules: string) =>
  spawnSync(PYTHON, ['-c', `import ${modules}`], { stdio: 'ignore' }).status === 0;
const able = has('torch, torchvision, PIL');

/** Debian has no package of safetensors for Python, so these lines stand for the two calls that the example makes. */
const STAND_IN = `
import json, struct, torch
class safe_open:
    def __init__(self, path, framework):
        data = open(path, "rb").read()
        length = struct.unpack("<Q", data[:8])[0]
        self.header = json.loads(data[8:8 + length])
        self.about = self.header.pop("__metadata__", {})
        self.data = data[8 + length:]
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def metadata(self): return self.about
    def keys(self): return self.header.keys()
    def get_tensor(self, name):
        entry = self.header[name]
        begin, end = entry["data_offsets"]
        kind = {"F32": torch.float32, "I64": torch.int64}[entry["dtype"]]
        return torch.frombuffer(bytearray(self.data[begin:end]), dtype=kind).reshape(entry["shape"])
`;

let folder: string;
const SIZES = [
  [64, 64],
  [70, 91],
  [200, 133],
] as const;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'python-'));
  mkdirSync(join(folder, 'safetensors'));
  writeFileSync(join(folder, 'safetensors', '__init__.py'), STAND_IN);
  const page = readFileSync(fileURLToPath(new URL('../../docs/use.md', import.meta.url)), 'utf8');
  const [, example] = /^```python\n(.*?)^```$/ms.exec(page)!;
  const ask = 'import sys\nprint(json.dumps([features(path)[0].tolist() for path in sys.argv[1:]]))\n';
  writeFileSync(join(folder, 'example.py'), `${example}\n${ask}`);
  for (const [i, [width, height]] of SIZES.entries()) {
    const random = new Random('python', i);
    // Smooth colours: noise alone would be averaged away by the resizing.
    const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
      const [x, y] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
      return Math.floor(128 + 80 * Math.sin(x / 7 + at) * Math.cos(y / 11) + random.uniform(-40, 40));
    });
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(folder, `image${i}.png`));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(!able).each([
  ['one backbone', ['method=instdis']],
  [
    'two branches, ImageNet’s normalisation',
    ['recipe=recommended', 'model.width=0.125', 'data.normalize=imagenet'],
  ],
  ['without batch norm', ['method=instdis', 'model.backbone=vgg16', 'training.learningRate=0.001']],
] as const)(
  'the Python of docs/use.md gives the features of embed: %s',
  async (_, set) => {
    const run = join(folder, 'run');
    rmSync(run, { recursive: true, force: true });
    const settings = ['data.size=32', 'model.width=0.25', 'method.patches=[2,2]', 'training.steps=2'];
    const own = set.some((one) => one.startsWith('method=')) ? settings.toSpliced(2, 1) : settings;
    const config = resolveConfig({
      set: [...own, 'training.batchSize=4', 'training.precision=fp32', ...set],
      flags: { 'data.path': 'phantom:breast,pairs=4', 'data.cacheFolder': join(folder, 'cache') },
    });
    await pretrain(config, { out: run, console: new MessageConsole({ quiet: true }) });
    await exportSafetensors({ run, out: join(folder, 'encoder.safetensors'), overwrite: true });
    const files = SIZES.map((_, i) => join(folder, `image${i}.png`));
    const ours: number[][] = [];
    // Each image is a data set of its own, as the product takes one side for all images of one.
    for (const file of files) {
      writeFileSync(join(folder, 'one.csv'), `id,a\nx,${file}\n`);
      const out = join(folder, 'f.safetensors');
      const data = { path: join(folder, 'one.csv'), columns: { b: null } };
      await embedData({ run, data, out, overwrite: true, cacheFolder: join(folder, 'cache') });
      ours.push([...new Float32Array(readSafetensors(out).tensors.get('features')!.data.buffer)]);
    }
    const { stdout, stderr, status } = spawnSync(PYTHON, ['example.py', ...files], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const theirs = JSON.parse(stdout) as number[][];
    for (const [i, expected] of ours.entries()) {
      const scale = Math.max(...expected);
      const apart = Math.max(...expected.map((value, c) => Math.abs(value - theirs[i]![c]!)));
      expect(theirs[i]).toHaveLength(expected.length);
      // The first image keeps its pixels, as it has the side of the cache. Pillow rounds to 8 bits twice where we round
      // once, so pixels of the others may differ by 1 of 255.
      expect(apart / scale, `image ${i}`).toBeLessThan(i === 0 ? 2e-6 : 2e-2);
    }
  },
  60_000,
);

/** The rows of the table of public models in docs/use.md. Debian has no package of timm, so its row runs where timm is. */
const PUBLIC = [
  { backbone: 'vgg16_bn', row: '`vgg16`, `vgg16_bn`', runs: able },
  { backbone: 'resnet18', row: '`resnet18`, `resnet50`', runs: able },
  { backbone: 'vit_s16', row: '`vit_s16`, `vit_b16`', runs: able && has('timm') },
] as const;

for (const { backbone, row, runs } of PUBLIC) {
  test.skipIf(!runs)(
    `the public model that docs/use.md names gives the features of embed: ${backbone}`,
    async () => {
      const page = readFileSync(fileURLToPath(new URL('../../docs/use.md', import.meta.url)), 'utf8');
      const line = page.split('\n').find((one) => one.startsWith(`| ${row}`))!;
      const [model, features, body] = [...line.matchAll(/`([^`]*\([^`]*|body = [^`]*)`/g)].map(
        ([, code]) => code!,
      );
      const run = join(folder, `public-${backbone}`);
      const config = resolveConfig({
        set: ['method=random', `model.backbone=${backbone}`, 'data.size=32', 'training.precision=fp32'],
        flags: { 'data.path': 'phantom:breast,pairs=40', 'data.cacheFolder': join(folder, 'cache') },
      });
      await pretrain(config, { out: run, console: new MessageConsole({ quiet: true }) });
      const weights = join(folder, `${backbone}.safetensors`);
      await exportTorchvision({ run, out: weights });
      // It has the side of the cache, so that no resizing comes in between.
      writeFileSync(join(folder, 'one.csv'), `id,a\nx,${join(folder, 'image0.png')}\n`);
      const out = join(folder, 'f.safetensors');
      const data = { path: join(folder, 'one.csv'), columns: { b: null } };
      await embedData({ run, data, out, overwrite: true, cacheFolder: join(folder, 'cache') });
      const ours = [...new Float32Array(readSafetensors(out).tensors.get('features')!.data.buffer)];
      writeFileSync(
        join(folder, 'public.py'),
        [
          'import json, torch, torchvision, torchvision.transforms.functional as F',
          backbone.startsWith('vit') ? 'import timm' : '',
          'from PIL import Image',
          'from safetensors import safe_open',
          'size = 32',
          `with safe_open(${JSON.stringify(weights)}, "pt") as file:`,
          '    weights = {name: file.get_tensor(name) for name in file.keys()}',
          `model = ${model!.replace('resnet50', 'resnet18')}`,
          'told = model.load_state_dict(weights, strict=False)',
          'assert all(name.startswith(("classifier.", "fc.")) for name in told.missing_keys), told',
          'assert not told.unexpected_keys, told',
          'model.eval()',
          body ?? '',
          `pixels = F.pil_to_tensor(Image.open(${JSON.stringify(join(folder, 'image0.png'))}).convert("RGB"))[None] / 255`,
          'pixels = torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)',
          'with torch.no_grad():',
          `    print(json.dumps((${features})[0].tolist()))`,
        ].join('\n'),
      );
      const { stdout, stderr, status } = spawnSync(PYTHON, ['public.py'], { cwd: folder, encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const theirs = JSON.parse(stdout) as number[];
      expect(theirs).toHaveLength(ours.length);
      const apart = Math.max(...ours.map((value, c) => Math.abs(value - theirs[c]!)));
      // Random weights, with sums in another order, as bench/parity.mjs shows.
      expect(apart / Math.max(...ours.map(Math.abs))).toBeLessThan(2e-5);
    },
    60_000,
  );
}
