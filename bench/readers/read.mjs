/** Reads the files that are named on stdin with the readers of dist/, and answers each with a line of JSON on stdout. */
import { createInterface } from 'node:readline';
import {
  readDicomHeader,
  readImageSize,
  readPixels,
  readVolumeHeader,
} from '../../dist/data/formats/index.js';
import { openDataset } from '../../dist/data/openDataset.js';
import { AnatomyError } from '../../dist/errors.js';

/** The most images of one file that are read. */
const MOST_IMAGES = 6;

const readers = {
  async image({ path }) {
    return { images: [await imageOf({ kind: 'file', path })] };
  },
  async dicom({ path }) {
    const { frames } = await readDicomHeader(path);
    const images = [];
    for (let index = 0; index < Math.min(frames, MOST_IMAGES); index += 1) {
      images.push(await imageOf({ kind: 'file', path, part: { kind: 'frame', index } }));
    }
    return { count: frames, images };
  },
  async nifti({ path, axis }) {
    const { dims } = await readVolumeHeader(path);
    const images = [];
    for (let index = 0; index < Math.min(dims[axis], MOST_IMAGES); index += 1) {
      images.push(await imageOf({ kind: 'file', path, part: { kind: 'slice', axis, index } }));
    }
    return { count: dims[axis], images };
  },
  async dataset({ path }) {
    const { samples } = await openDataset({ path }, { positive: 'optional' });
    return {
      samples: await Promise.all(
        samples.map(async ({ id, subject, label = null, fold = null, images }) => {
          const values = Object.entries(images).map(async ([name, source]) => [name, await imageOf(source)]);
          return { id, subject, label, fold, images: Object.fromEntries(await Promise.all(values)) };
        }),
      ),
    };
  },
};

async function imageOf(source) {
  const { width, height, channels, data } = await readPixels(source);
  const size = await readImageSize(source);
  if (width * height * channels !== data.length) {
    throw new Error(`${data.length} values make no ${width}×${height} pixels of ${channels} channels`);
  }
  // EXIF orientation exchanges the sides.
  if ([size.width, size.height].sort().join() !== [width, height].sort().join()) {
    throw new Error(`the header says ${size.width}×${size.height}, the pixels are ${width}×${height}`);
  }
  return { width, height, channels, values: Array.from(data) };
}

// Decoders must not write to stdout, which would disturb the answers and a user's terminal.
const answer = process.stdout.write.bind(process.stdout);
let written = '';
for (const stream of [process.stdout, process.stderr]) {
  stream.write = (text) => {
    written += text;
    return true;
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const result = await readers[question.reader](question).catch((error) => ({
    error: String(error?.message ?? error),
    raw:
      !(error instanceof AnatomyError) || !error.message.includes(question.path)
        ? String(error?.stack)
        : undefined,
  }));
  answer(`${JSON.stringify(written === '' ? result : { ...result, written })}\n`);
  written = '';
}
