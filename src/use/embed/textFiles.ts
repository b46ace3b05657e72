/** Features as text: CSV, and the tables of TensorBoard’s projector. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Sample } from '../../data/sample.js';
import { FileInProgress } from '../../files.js';
import type { Features } from '../../metrics/features/features.js';
import { csv } from '../../text/csv.js';
import { visible } from '../../text/visible.js';
import {
  columnNames,
  type FeatureFile,
  type FeatureFormat,
  type FeatureTable,
  rowColumns,
} from './featureFile.js';

/** The most columns of a table that spreadsheets and data frames read without trouble. */
export const MOST_COLUMNS = 16_384;

/** A line for each sample: id, subject, label and features. A missing image leaves its cells empty. */
export const csvFormat: FeatureFormat = {
  name: 'csv',
  extension: '.csv',
  summary: 'a line for each sample',
  mostColumns: MOST_COLUMNS,
  files: (out) => [out],
  open: (out, table) => new CsvFile(out, table),
};

class CsvFile implements FeatureFile {
  readonly #file: FileInProgress;
  readonly #of;

  constructor(out: string, table: FeatureTable) {
    this.#of = rowColumns(table.samples);
    this.#file = new FileInProgress(out);
    this.#line([...this.#of.map(({ name }) => name), ...columnNames(table)]);
  }

  write(samples: readonly Sample[], features: Features): void {
    for (const [row, sample] of samples.entries()) {
      const numbers = Array.from(rowOf(features, row), (value) =>
        Number.isNaN(value) ? '' : shortest(value),
      );
      this.#line([...this.#of.map(({ of }) => of(sample) ?? ''), ...numbers]);
    }
  }

  complete(): readonly string[] {
    this.#file.complete();
    return [this.#file.path];
  }

  abandon(): void {
    this.#file.abandon();
  }

  #line(cells: readonly string[]): void {
    this.#file.write(Buffer.from(csv([cells]), 'utf8'));
  }
}

/**
 * The files that TensorBoard’s projector reads: `tensors.tsv`, `metadata.tsv`, and the `projector_config.pbtxt` by which
 * `tensorboard --logdir FOLDER` finds them. Samples that lack an image are left out, as it takes numbers only.
 */
export const projectorFormat: FeatureFormat = {
  name: 'projector',
  summary: 'a folder for TensorBoard’s projector',
  files: (out) => ['tensors.tsv', 'metadata.tsv', 'projector_config.pbtxt'].map((name) => join(out, name)),
  open: (out, table) => new ProjectorFolder(out, table),
};

class ProjectorFolder implements FeatureFile {
  readonly #tensors: FileInProgress;
  readonly #metadata: FileInProgress;
  readonly #config: FileInProgress;
  readonly #of;

  constructor(out: string, { samples }: FeatureTable) {
    mkdirSync(out, { recursive: true });
    [this.#tensors, this.#metadata, this.#config] = projectorFormat
      .files(out)
      .map((path) => new FileInProgress(path)) as [FileInProgress, FileInProgress, FileInProgress];
    this.#of = rowColumns(samples);
    // A table of one column has no header there.
    if (this.#of.length > 1) this.#metadata.write(line(this.#of.map(({ name }) => name)));
    this.#config.write(
      Buffer.from(
        'embeddings {\n  tensor_name: "features"\n  tensor_path: "tensors.tsv"\n  metadata_path: "metadata.tsv"\n}\n',
      ),
    );
  }

  write(samples: readonly Sample[], features: Features): void {
    for (const [row, sample] of samples.entries()) {
      const numbers = rowOf(features, row);
      if (numbers.some(Number.isNaN)) continue;
      this.#tensors.write(line(Array.from(numbers, shortest)));
      this.#metadata.write(line(this.#of.map(({ of }) => of(sample) ?? '')));
    }
  }

  complete(): readonly string[] {
    const files = [this.#tensors, this.#metadata, this.#config];
    for (const file of files) file.complete();
    return files.map(({ path }) => path);
  }

  abandon(): void {
    for (const file of [this.#tensors, this.#metadata, this.#config]) file.abandon();
  }
}

/** A line of a table whose cells cannot hold tabs or line breaks. */
function line(cells: readonly string[]): Buffer {
  return Buffer.from(`${cells.map((cell) => visible(cell).replace(/\s+/g, ' ')).join('\t')}\n`, 'utf8');
}

function rowOf({ data, columns }: Features, row: number): Float32Array | Float64Array {
  return data.subarray(row * columns, (row + 1) * columns);
}

/** The shortest decimal number that reads as the same single-precision value; nine digits always do. */
export function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits += 1) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(9)));
}
