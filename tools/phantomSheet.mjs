// Writes the pictures of docs/phantoms.md, docs/phantom-breast.webp and docs/phantom-fundus.webp: picked pairs of seed 0.
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { generatePair } from '../dist/phantoms/breast/breastPhantom.js';
import { generateFundusPair } from '../dist/phantoms/fundus/fundusPhantom.js';

/** Places images in rows of tiles, `scale` pixels of the image to one of the tile. */
async function sheet(name, rows, { tile, scale = 1, gap = 3 }) {
  const at = (k) => gap + k * (tile + gap);
  const tiles = await Promise.all(
    rows.flatMap((row, y) =>
      row.map(async ({ width, height, channels, data }, x) => ({
        input: await sharp(data, { raw: { width, height, channels } })
          .resize(width / scale, height / scale)
          .toColourspace('srgb')
          .png()
          .toBuffer(),
        left: at(x),
        top: at(y),
      })),
    ),
  );
  const [width, height] = [at(rows[0].length), at(rows.length)];
  await sharp({ create: { width, height, channels: 3, background: 'white' } })
    .composite(tiles)
    .webp({ quality: 80, effort: 6 })
    .toFile(fileURLToPath(new URL(`../docs/${name}`, import.meta.url)));
}

// Four benign, then four malignant masses; what each shows is told beside the picture.
const masses = [22, 90, 10, 4, 5, 20, 7, 12];
const breast = [
  (options) => generatePair(options).a,
  (options) => generatePair(options).b,
  (options) => generatePair({ ...options, overlay: false }).b,
];
const drawn = breast.map((draw) => masses.map((index) => draw({ seed: 0, index, size: 144 })));
await sheet('phantom-breast.webp', drawn, { tile: 144 });

// A row for each condition: the first eyes of it that show a sign of the disease.
const conditions = [
  ['pm', 'normal', () => true],
  ['pm', 'high-myopia', () => true],
  ['pm', 'pathologic-myopia', (signs) => signs.patchyAtrophy || signs.lacquerCracks || signs.diffuseAtrophy],
  ['amd', 'amd', (signs) => signs.softDrusen || signs.geographicAtrophy || signs.neovascularisation],
];
const eyes = conditions.map(([task, condition, shows]) => {
  const row = [];
  for (let index = 0; row.length < 6; index += 1) {
    const { a, b, params } = generateFundusPair({ seed: 0, index, size: 300, task });
    if (params.condition === condition && shows(params.signs)) row.push(a, b);
  }
  return row;
});
await sheet('phantom-fundus.webp', eyes, { tile: 150, scale: 2 });
