/** What `experiment.json` tells of an experiment: all that its tables need to know of the file it was made from. */

import { protocols } from '../../evaluation/protocols/registry.js';
import type { ComparisonFamily } from '../file/fileSchema.js';
import type { PaperReference } from '../file/paperNumbers.js';
import type { ExperimentProtocol } from '../file/protocols.js';

export interface ExperimentDescription {
  readonly version: 2;
  readonly name: string;
  readonly description?: string;
  readonly smoke: boolean;
  readonly data: DescribedData;
  readonly seeds: readonly number[];
  readonly protocols: readonly ExperimentProtocol[];
  readonly rows: readonly DescribedRow[];
  /** Further data that the rows are judged on. */
  readonly judge: readonly DescribedSet[];
  /** The folds by slug of the data, the empty one being that of pretraining. */
  readonly folds: Readonly<Record<string, DescribedFolds>>;
  readonly compare?: ComparisonFamily;
  readonly setAside?: ComparisonFamily;
}

export interface DescribedData {
  readonly name: string;
  readonly pairs: number;
  readonly subjects: number;
  /** Tells other ids, subjects or labels apart. */
  readonly digest?: string;
  /** How many of them are set aside. */
  readonly setAside?: { readonly pairs: number; readonly subjects: number };
}

export interface DescribedFolds {
  /** For people: `5 of pairs, drawn with seed 0`. */
  readonly name: string;
  readonly digest: string;
}

export interface DescribedSet {
  readonly name: string;
  readonly slug: string;
  readonly protocols: readonly ExperimentProtocol[];
  /** Its name in the paper. */
  readonly paper?: string;
  readonly data?: DescribedData;
  /** Why it was not there, and how to get it. */
  readonly absent?: string;
}

export interface DescribedRow {
  readonly name: string;
  readonly folder: string;
  readonly paper?: PaperReference;
  /** The only ones that it is pretrained with. */
  readonly seeds?: readonly number[];
  /** More than one where the row is tuned. */
  readonly candidates: readonly { readonly name: string; readonly folder: string }[];
}

/** Version 1 knew neither candidates nor further data nor settings of protocols. */
interface FirstDescription
  extends Pick<ExperimentDescription, 'name' | 'description' | 'smoke' | 'data' | 'seeds'> {
  readonly version: 1;
  readonly protocols: readonly string[];
  readonly rows: readonly { name: string; folder: string; paper?: PaperReference }[];
}

/** Undefined when it is of no version that we know. */
export function upgradedDescription(content: unknown): ExperimentDescription | undefined {
  const { version } = (content ?? {}) as { version?: unknown };
  if (version === 2) return content as ExperimentDescription;
  if (version !== 1) return undefined;
  const first = content as FirstDescription;
  return {
    ...first,
    version: 2,
    protocols: protocols
      .map(({ name }) => name)
      .filter((name) => first.protocols.includes(name))
      .map((protocol) => ({
        protocol,
        name: protocol,
        slug: protocol,
        settings: {},
        draws: 1,
      })),
    rows: first.rows.map(({ name, folder, paper }) => ({
      name,
      folder,
      paper: paper && { table: paper.table, row: paper.row },
      candidates: [{ name, folder }],
    })),
    judge: [],
    folds: {},
  };
}
