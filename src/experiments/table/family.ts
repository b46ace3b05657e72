/** The comparisons that an experiment was made for: one row with each of the others. */

import type { ComparisonFamily } from '../file/fileSchema.js';
import type { DescribedRow } from '../stored/description.js';
import type { Entry } from './entries.js';
import type { TableFamily, TablePart } from './model.js';
import type { Part } from './part.js';
import type { Results } from './results.js';
import { comparisons } from './significance.js';

export interface FamilyPart {
  readonly results: Results;
  readonly features: TablePart['features'];
  readonly part: Part;
}

/**
 * @param protocol the name of the protocol that the rows are compared by
 * @param parts the parts of the table on the data that the encoders were pretrained on
 * @returns undefined while nothing is judged by that protocol
 */
export function familyOf(
  { reference, against, features, images }: ComparisonFamily,
  protocol: string,
  rows: readonly DescribedRow[],
  parts: readonly FamilyPart[],
): TableFamily | undefined {
  const own = parts.filter(({ results }) => results.protocol.name === protocol);
  const found = own.find((part) => part.features === features) ?? own[0];
  if (found === undefined) return undefined;
  const { part } = found;
  const shown = images ?? part.images.at(-1);
  const first = rows.find(({ name }) => name === reference);
  if (shown === undefined || first === undefined) return undefined;
  const named = against.map((name): readonly [string, Entry | undefined] => {
    if (name === 'untrained' || name === 'thumbnail') return [name, part.entry(first, name, shown)];
    const row =
      name === 'best' ? bestOther(part, rows, reference, shown) : rows.find((one) => one.name === name);
    return [row?.name ?? name, row && part.entry(row, 'run', shown)];
  });
  // The best of the others may be named already.
  const planned = [...new Map(named)];
  const compared = comparisons(part.entry(first, 'run', shown), planned);
  const missing = planned
    .map(([name]) => name)
    .filter((name) => !compared.some((one) => one.against === name));
  const { few } = part.entry(first, 'run', shown);
  return {
    reference,
    protocol,
    features: found.features,
    images: shown,
    comparisons: compared,
    missing,
    few,
  };
}

/** The row with the highest value among those with all seeds, the reference left out. */
export function bestOther(
  part: Part,
  rows: readonly DescribedRow[],
  reference: string,
  images: string,
): DescribedRow | undefined {
  // A mean over fewer seeds cannot be ranked among means over all.
  const whole = rows.filter(({ name, seeds }) => name !== reference && seeds === undefined);
  const ranked = whole.flatMap((row) => {
    const value = part.entry(row, 'run', images).value();
    return value === null ? [] : [{ row, value }];
  });
  return ranked.sort((a, b) => b.value - a.value)[0]?.row;
}
