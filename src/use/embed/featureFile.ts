/** The files that features are written to: a form for each program that reads them. */
import type { Sample } from '../../data/sample.js';
import type { Features } from '../../metrics/features/features.js';

/** Everything that is known of a table of features before its rows. */
export interface FeatureTable {
  /** The samples, one for each row. */
  readonly samples: readonly Sample[];
  /** The parts of a row by modality, in their order; `any` is one part. */
  readonly parts: readonly string[];
  /** The shape of one part: [C], or [C, h, w] of a map. */
  readonly shape: readonly number[];
  /** How the features came to be, for the forms that can hold it. */
  readonly facts: Readonly<Record<string, string>>;
}

/** A file, or several that belong together, that is written row by row and appears when it is complete. */
export interface FeatureFile {
  /** Adds the rows of the next samples. */
  write(samples: readonly Sample[], features: Features): void;
  /** Puts the files in their places and names them. */
  complete(): readonly string[];
  /** Removes what was written. */
  abandon(): void;
}

/** A form of file. */
export interface FeatureFormat {
  /** The word for `--format`. */
  readonly name: string;
  /** How a file of it ends; absent: it is a folder. */
  readonly extension?: string;
  readonly summary: string;
  /** The most columns that readers of it cope with; absent: any number. */
  readonly mostColumns?: number;
  /** The files that are made for `--out`. */
  files(out: string): readonly string[];
  open(out: string, table: FeatureTable): FeatureFile;
}

/** The number of columns of a table. */
export function columnCount({ parts, shape }: Pick<FeatureTable, 'parts' | 'shape'>): number {
  return parts.length * shape.reduce((product, length) => product * length, 1);
}

/** The name of each column, such as `flair.0`; the cells of a map have several numbers, as in `flair.0.3.6`. */
export function columnNames({ parts, shape }: Pick<FeatureTable, 'parts' | 'shape'>): string[] {
  const places = shape.reduce<string[]>(
    (names, length) => names.flatMap((name) => Array.from({ length }, (_, index) => `${name}.${index}`)),
    [''],
  );
  return parts.flatMap((part) => places.map((place) => `${part}${place}`));
}

/** What says which sample a row is. */
export interface RowColumn {
  readonly name: string;
  readonly of: (sample: Sample) => string | undefined;
}

/** The columns that say which sample a row is: those of the data, as they are. */
export function rowColumns(samples: readonly Sample[]): readonly RowColumn[] {
  const columns: RowColumn[] = [
    { name: 'id', of: ({ id }) => id },
    { name: 'subject', of: ({ subject }) => subject },
    { name: 'label', of: ({ label }) => label },
    { name: 'fold', of: ({ fold }) => fold?.toString() },
  ];
  return columns.filter(
    ({ name, of }) => name === 'id' || samples.some((sample) => of(sample) !== undefined),
  );
}
