import type { Motion } from '../align/transformation.js';

/**
 * The weight of a finding. `error`: the data must not be used so; `warning`: look before you go on; `info`: good to
 * know.
 */
export type Severity = 'error' | 'warning' | 'info';

/** One kind of thing that was found, with every place where it was. */
export interface Finding {
  /** A name that stays the same between versions: `blank`, `misaligned`, … */
  readonly code: string;
  readonly severity: Severity;
  readonly title: string;
  /** The reason why it matters. */
  readonly explanation: string;
  /** The advice on what to do. */
  readonly fix: string;
  readonly items: readonly FindingItem[];
  /** The number of items of this kind, also where they are too many to be listed. */
  readonly count: number;
}

export interface FindingItem {
  /** The samples concerned. Files that became no sample stand here by their names. */
  readonly ids: readonly string[];
  readonly modality?: string;
  /** The item in words, without ids, subjects or paths, so that it may be shared. */
  readonly detail: string;
  /** The item in words that name files and lines, for the owner's eyes only. */
  readonly place?: string;
  /** The measured number, where there is one. */
  readonly value?: number;
  /** How the image of `modality` lies to that of another one, of items on a pair. */
  readonly placement?: PairPlacement;
}

/** A similarity transformation about the centre, in pixels of the image of the item's modality. */
export interface PairPlacement extends Motion {
  readonly against: string;
  readonly uncertainty: number;
}

/** Makes a finding of all these items; none where there are no items. */
export function finding(one: Omit<Finding, 'count'>): Finding[] {
  return one.items.length === 0 ? [] : [{ ...one, count: one.items.length }];
}

export function countBySeverity(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const counts = { error: 0, warning: 0, info: 0 };
  for (const { severity } of findings) counts[severity] += 1;
  return counts;
}
