/** Features as arrays for programs: NumPy’s .npy and safetensors. */
import type { Sample } from '../../data/sample.js';
import { safetensorsHead } from '../../export/safetensors.js';
import { FileInProgress } from '../../files.js';
import type { Features } from '../../metrics/features/features.js';
import { csv } from '../../text/csv.js';
import { type FeatureFile, type FeatureFormat, type FeatureTable, rowColumns } from './featureFile.js';

/**
 * NumPy’s format (numpy.org/doc/stable/reference/generated/numpy.lib.format.html): float32, [N, C] or [N, C, h, w], the
 * channels of all modalities one after another, NaN where an image is missing. A CSV file beside it says which row is
 * which sample.
 */
export const npyFormat: FeatureFormat = {
  name: 'npy',
  extension: '.npy',
  summary: 'an array for NumPy, with the rows’ ids in a CSV file beside it',
  files: (out) => [out, rowsFile(out)],
  open: (out, table) => {
    const rows = new FileInProgress(rowsFile(out));
    try {
      const columns = rowColumns(table.samples);
      rows.write(Buffer.from(csv([columns.map(({ name }) => name)])));
      for (const sample of table.samples)
        rows.write(Buffer.from(csv([columns.map(({ of }) => of(sample) ?? '')])));
      return new ArrayFile([new FileInProgress(out), rows], npyHead(arrayShape(table)));
    } catch (error) {
      rows.abandon();
      throw error;
    }
  },
};

const rowsFile = (out: string): string => `${out.replace(/\.npy$/i, '')}.rows.csv`;

/** The bytes before the numbers, padded so that these begin at a multiple of 64. */
function npyHead(shape: readonly number[]): Buffer {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(length, 8);
  return Buffer.concat([head, Buffer.from(`${header.padEnd(length - 1)}\n`, 'latin1')]);
}

/**
 * One tensor `features`, as in the .npy file. The metadata holds ids, subjects, labels and folds as lists in JSON, the
 * modality of each part, and how the features came to be.
 */
export const safetensorsFormat: FeatureFormat = {
  name: 'safetensors',
  extension: '.safetensors',
  summary: 'a tensor with ids, labels and the run’s facts in its metadata',
  files: (out) => [out],
  open: (out, table) => {
    const lists = rowColumns(table.samples).map(({ name, of }) => [
      `${name}s`,
      JSON.stringify(table.samples.map((sample) => of(sample) ?? null)),
    ]);
    const shape = arrayShape(table);
    const { head } = safetensorsHead(out, new Map([['features', { dtype: 'F32', shape }]]), {
      ...table.facts,
      parts: JSON.stringify(table.parts),
      ...Object.fromEntries(lists),
    });
    return new ArrayFile([new FileInProgress(out)], head);
  },
};

/** [N, C] or [N, C, h, w], with the channels of all parts in C. */
function arrayShape({ samples, parts, shape }: FeatureTable): number[] {
  const [channels, ...rest] = shape;
  return [samples.length, parts.length * channels!, ...rest];
}

/** A head, then the numbers of all rows. The files after the first are complete already. */
class ArrayFile implements FeatureFile {
  readonly #files: readonly [FileInProgress, ...FileInProgress[]];

  constructor(files: readonly [FileInProgress, ...FileInProgress[]], head: Uint8Array) {
    this.#files = files;
    this.#files[0].write(head);
  }

  write(_: readonly Sample[], { data }: Features): void {
    const single = data instanceof Float32Array ? data : Float32Array.from(data);
    this.#files[0].write(new Uint8Array(single.buffer, single.byteOffset, single.byteLength));
  }

  complete(): readonly string[] {
    for (const file of this.#files) file.complete();
    return this.#files.map(({ path }) => path);
  }

  abandon(): void {
    for (const file of this.#files) file.abandon();
  }
}
