/** `error`: the data must not be used so; `warning`: look before you go on; `info`: good to know. */
export type Severity = 'error' | 'warning' | 'info';

/** One kind of thing found, with every place where it was. */
export interface Finding {
  /** Stays the same between versions: `blank`, `misaligned`, … */
  readonly code: string;
  readonly severity: Severity;
  readonly title: string;
  /** Why it matters. */
  readonly explanation: string;
  /** What to do. */
  readonly fix: string;
  readonly items: readonly FindingItem[];
  /** Items of this kind, also where they are too many to be listed. */
  readonly count: number;
}

export interface FindingItem {
  /** The samples concerned; names of files that no sample has come of stand here too. */
  readonly ids: readonly string[];
  readonly modality?: string;
  /** What is there, without ids, subjects or paths: it may be shared. */
  readonly detail: string;
  /** As `detail`, naming files and lines: for the owner's eyes. */
  readonly place?: string;
  /** The measured number, where there is one. */
  readonly value?: number;
}

/** A finding of all these items; none of no items. */
export function finding(one: Omit<Finding, 'count'>): Finding[] {
  return one.items.length === 0 ? [] : [{ ...one, count: one.items.length }];
}

export function countBySeverity(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const counts = { error: 0, warning: 0, info: 0 };
  for (const { severity } of findings) counts[severity] += 1;
  return counts;
}
