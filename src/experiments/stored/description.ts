/** The content of `experiment.json`: all that the tables need to know of the experiment file. */

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
  /** The folds of each data set, by its slug; the empty slug is the data of pretraining. */
  readonly folds: Readonly<Record<string, DescribedFolds>>;
  readonly compare?: ComparisonFamily;
  readonly setAside?: ComparisonFamily;
}

export interface DescribedData {
  readonly name: string;
  readonly pairs: number;
  readonly subjects: number;
  /** A digest that changes with the ids, subjects or labels. Older versions kept none. */
  readonly digest?: string;
  /** The size of the part of the data that is set aside. */
  readonly setAside?: { readonly pairs: number; readonly subjects: number };
}

export interface DescribedFolds {
  /** A name for people, such as `5 of pairs, drawn with seed 0`. */
  readonly name: string;
  readonly digest: string;
}

export interface DescribedSet {
  readonly name: string;
  readonly slug: string;
  readonly protocols: readonly ExperimentProtocol[];
  /** The paper's name for the data. */
  readonly paper?: string;
  readonly data?: DescribedData;
  /** The reason why the data was not there, and how to get it. */
  readonly absent?: string;
}

export interface DescribedRow {
  readonly name: string;
  readonly folder: string;
  readonly paper?: PaperReference;
  /** The seeds that the row is pretrained with, where they are not those of the experiment. */
  readonly seeds?: readonly number[];
  /** The candidates that the row is chosen from; a row that is not tuned has one. */
  readonly candidates: readonly { readonly name: string; readonly folder: string }[];
}

/**
 * The content of `experiment.json` in version 1, which had no candidates, no further data and no settings of protocols.
 */
interface FirstDescription
  extends Pick<ExperimentDescription, 'name' | 'description' | 'smoke' | 'data' | 'seeds'> {
  readonly version: 1;
  readonly protocols: readonly string[];
  readonly rows: readonly { name: string; folder: string; paper?: PaperReference }[];
}

/** Brings a description to the present version. Undefined when its version is unknown. */
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
