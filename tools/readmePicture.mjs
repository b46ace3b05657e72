// Writes docs/demo.png, the picture of README.md: a phantom's pair, and which patches are alike for the paper's encoder before and
// after its pretraining. It wants two commands first:
//
//   npx anatomy pretrain --data phantom:breast,pairs=400,seed=0 --steps 400 --seed 0 --out runs/picture \
//       --set data.size=64 model.width=0.25 training.batchSize=50
//   npx anatomy evaluate pairs --run runs/picture
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { generatePair } from '../dist/phantoms/breast/breastPhantom.js';
import { similarityFigures } from '../dist/report/figures/similarityFigure.js';

/** The example of the stored three whose lesion is seen best, and the map that Figure 5 of a report shows. */
const EXAMPLE = 2;
const MAP = 3;

const fileOf = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** An image of a phantom as a data URI. */
async function dataUri({ width, height, channels, data }) {
  const png = await sharp(data, { raw: { width, height, channels } }).toColourspace('srgb').png().toBuffer();
  return `data:image/png;base64,${png.toString('base64')}`;
}

const record = JSON.parse(readFileSync(fileOf('runs/picture/evaluation/pairs.json'), 'utf8'));
const example = record.examples[EXAMPLE];
// Pair i of a phantom's data is pair i of its seed.
const pair = generatePair({ seed: 0, index: example.position, size: 256 });
const images = new Map([[example.position, { a: await dataUri(pair.a), b: await dataUri(pair.b) }]]);
const oneAnchor = { ...record, examples: [{ ...example, anchors: example.anchors.slice(0, 1) }] };
const [figure] = similarityFigures([{ name: 'Pretrained', record: oneAnchor }], { map: MAP, images });

// The figure has a row for the images, the untrained and the pretrained encoder, two panels each; here they stand side by side.
const [panel, top, right, bottom, gap, head] = [100, 40, 8, 46, 16, 22];
const [width, height] = ['width', 'height'].map((side) =>
  Number(new RegExp(` ${side}="([\\d.]+)"`).exec(figure.svg)[1]),
);
const left = width - right - 2 * panel;
/** A part of the figure, `box` = left, top, width and height in it, moved to x, y. */
const cut = (x, y, box) =>
  figure.svg
    .slice(figure.svg.indexOf('<svg'))
    .replace(/ viewBox="[^"]*"/, ` viewBox="${box.join(' ')}" x="${x}" y="${y}"`)
    .replace(/ width="[^"]*"/, ` width="${box[2]}"`)
    .replace(/ height="[^"]*"/, ` height="${box[3]}"`);
const titles = [
  ['B-mode', 'elastogram'],
  ['untrained, A', 'untrained, B'],
  ['pretrained, A', 'pretrained, B'],
];
const groups = titles.map((pairOfTitles, row) => {
  const x = row * (2 * panel + gap);
  const words = pairOfTitles.map(
    (title, k) => `<text x="${x + (k + 0.5) * panel}" y="14" text-anchor="middle">${title}</text>`,
  );
  return words.join('') + cut(x, head, [left, top + row * panel, 2 * panel, panel]);
});
const size = [6 * panel + 2 * gap, head + panel + bottom];
const legend = cut(2 * panel + gap, head + panel, [left, height - bottom, 4 * panel + gap, bottom]);
const svg =
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size[0]}" height="${size[1]}" font-family="sans-serif" font-size="11" ` +
  `fill="#1a1d21">${groups.join('')}${legend}</svg>`;
await sharp(Buffer.from(svg), { density: 108 })
  .flatten({ background: 'white' })
  .png({ palette: true, compressionLevel: 9, effort: 10 })
  .toFile(fileOf('docs/demo.png'));
