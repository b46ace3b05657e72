// Writes docs/phantom-breast.png: picked pairs of the breast phantom, each as B-mode image, elastogram and its colours alone.
import sharp from 'sharp';
import { generatePair } from '../dist/data/phantoms/breast.js';

const size = 144;
const gap = 3;
// Seed 0; what each shows is told in docs/phantoms.md. Four benign, then four malignant masses.
const indices = [22, 90, 10, 4, 5, 20, 7, 12];

const rows = [
  (options) => generatePair(options).a,
  (options) => generatePair(options).b,
  (options) => generatePair({ ...options, overlay: false }).b,
];
const tiles = rows.flatMap((draw, row) =>
  indices.map((index, column) => {
    const { width, height, channels, data } = draw({ seed: 0, index, size });
    const at = (k) => gap + k * (size + gap);
    return { input: Buffer.from(data), raw: { width, height, channels }, left: at(column), top: at(row) };
  }),
);
const extent = (count) => gap + count * (size + gap);
await sharp({
  create: {
    width: extent(indices.length),
    height: extent(rows.length),
    channels: 3,
    background: 'white',
  },
})
  .composite(tiles)
  .png({ palette: true, compressionLevel: 9, effort: 10 })
  .toFile(new URL('../docs/phantom-breast.png', import.meta.url).pathname);
