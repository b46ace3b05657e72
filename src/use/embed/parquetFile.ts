/** Features as Apache Parquet, for pandas, Polars, DuckDB, Spark and R. */
import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import type { Sample } from '../../data/sample.js';
import { FileInProgress } from '../../files.js';
import type { Features } from '../../metrics/features/features.js';
import {
  columnNames,
  type FeatureFile,
  type FeatureFormat,
  type FeatureTable,
  rowColumns,
} from './featureFile.js';
import { MOST_COLUMNS } from './textFiles.js';

/** The values of a row group, which is held in memory until it is written. */
const GROUP_VALUES = 4_000_000;

/**
 * A row for each sample: id, subject, label and fold as text, and a column of single-precision numbers for each
 * feature, null where an image is missing.
 */
export const parquetFormat: FeatureFormat = {
  name: 'parquet',
  extension: '.parquet',
  summary: 'a table for pandas, Polars, DuckDB or R',
  mostColumns: MOST_COLUMNS,
  files: (out) => [out],
  open: (out, table) => new ParquetFile(out, table),
};

class ParquetFile implements FeatureFile {
  readonly #file: FileInProgress;
  readonly #bytes = new ByteWriter();
  readonly #writer: ParquetWriter;
  readonly #rowColumns;
  readonly #names: readonly string[];
  readonly #groupRows: number;
  #samples: Sample[] = [];
  #rows: Float32Array[] = [];

  constructor(out: string, table: FeatureTable) {
    this.#rowColumns = rowColumns(table.samples);
    this.#names = columnNames(table);
    this.#groupRows = Math.max(1, Math.floor(GROUP_VALUES / this.#names.length));
    this.#file = new FileInProgress(out);
    const text = (name: string): SchemaElement => ({
      ...{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    });
    const number = (name: string): SchemaElement => ({ name, type: 'FLOAT', repetition_type: 'OPTIONAL' });
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: [
        { name: 'root', num_children: this.#rowColumns.length + this.#names.length },
        ...this.#rowColumns.map(({ name }) => text(name)),
        ...this.#names.map(number),
      ],
      kvMetadata: Object.entries(table.facts).map(([key, value]) => ({ key, value })),
      createdBy: 'anatomy-ssl',
    });
  }

  write(samples: readonly Sample[], { data, columns }: Features): void {
    for (const [row, sample] of samples.entries()) {
      this.#samples.push(sample);
      this.#rows.push(Float32Array.from(data.subarray(row * columns, (row + 1) * columns)));
      if (this.#rows.length === this.#groupRows) this.#writeGroup();
    }
  }

  complete(): readonly string[] {
    this.#writeGroup();
    void this.#writer.finish(); // it ends at once, as no write of it waits
    this.#toFile();
    this.#file.complete();
    return [this.#file.path];
  }

  abandon(): void {
    this.#file.abandon();
  }

  #writeGroup(): void {
    if (this.#rows.length === 0) return;
    const texts = this.#rowColumns.map(({ name, of }) => ({
      name,
      data: this.#samples.map((sample) => of(sample) ?? null),
    }));
    const numbers = this.#names.map((name, column) => ({
      name,
      data: this.#rows.map((row) => (Number.isNaN(row[column]!) ? null : row[column]!)),
      // Features hardly repeat, so that a dictionary of them would only take time.
      encoding: 'PLAIN' as const,
    }));
    void this.#writer.write({ columnData: [...texts, ...numbers], rowGroupSize: this.#rows.length });
    this.#samples = [];
    this.#rows = [];
    this.#toFile();
  }

  /** Moves what was encoded to the file. The writer goes on counting offsets. */
  #toFile(): void {
    this.#file.write(this.#bytes.getBytes());
    this.#bytes.index = 0;
  }
}
