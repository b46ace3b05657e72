/** The room `data/audit` looks for what is wrong with a data set. This file puts the report together. */
import type { DataFault } from '../faults.js';
import type { Fold } from '../fold.js';
import type { DroppedSample } from '../open/dropList.js';
import { hasImage } from '../presence.js';
import type { Dataset, Publication } from '../sample.js';
import { crossModalFindings, duplicateFindings, findCrossModalCopies } from './duplicateFindings.js';
import { countBySeverity, type Finding, type Severity } from './finding.js';
import { imageFindings, sizeOf } from './imageFindings.js';
import { groupDuplicates } from './measures/duplicates.js';
import type { ImageTable } from './measures/imageTable.js';
import { judgeSuitability } from './measures/relations.js';
import { median } from './measures/robust.js';
import { type Combination, combinations, missingFindings } from './missingFindings.js';
import { explainedByPairs, findOddComposites, findSwapped, pairFindings } from './pairFindings.js';
import { type Scan, type ScannedPair, type ScanOptions, scan } from './scan.js';
import {
  classCounts,
  faultFindings,
  type PairSuitability,
  premise,
  setFindings,
  subjectCount,
  suitabilityFindings,
} from './setFindings.js';
import { settingFindings } from './settingFindings.js';
import { spellingFindings } from './spellingFindings.js';

export interface AuditOptions extends ScanOptions {
  /** The faults that opening the data told of. */
  readonly faults?: readonly DataFault[];
  /** The fold of each sample by id; absent: the published folds, if there are any. */
  readonly folds?: Readonly<Record<string, Fold>>;
}

/** All findings in plain values, which are also the content of `--json`. */
export interface AuditReport {
  readonly version: 2;
  readonly data: string;
  readonly quick: boolean;
  readonly samples: number;
  readonly subjects: number;
  readonly classes: Readonly<Record<string, number>>;
  readonly published?: Publication;
  readonly modalities: readonly ModalitySummary[];
  /** Which modalities the samples have, the most frequent combination first. */
  readonly combinations: readonly Combination[];
  /** One entry for each pair of modalities that could be measured; so too for `suitability`. */
  readonly alignment: readonly AlignmentSummary[];
  readonly suitability: readonly PairSuitability[];
  readonly counts: Readonly<Record<Severity, number>>;
  /** The findings, errors first. */
  readonly findings: readonly Finding[];
  /** The digest of ids and pixels, which is the key of pseudonyms. */
  readonly contentHash: string;
}

export interface ModalitySummary {
  readonly name: string;
  readonly simulated: boolean;
  /** The number of samples without such an image, and of subjects that have such a sample. */
  readonly missing: number;
  readonly missingSubjects: number;
  readonly readable: number;
  /** The number of images of each size, named as in `640 × 480 gray`; the most frequent first. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Percentiles 5, 50 and 95 of the mean gray level, 0 … 255, over the images. */
  readonly brightness: readonly number[];
  readonly contrast: readonly number[];
}

/** How the images of one modality lie against those of another, in pixels of its images. */
export interface AlignmentSummary {
  readonly modality: string;
  readonly against: string;
  readonly measured: number;
  readonly medianX: number;
  readonly medianY: number;
  /** Percentiles 50, 95 and 99 of the length of the shifts; so too for the next three. */
  readonly distance: readonly number[];
  /** The turn in degrees, either way, of pairs that are not mirrored or turned by a quarter or a half. */
  readonly turn: readonly number[];
  /** The factor of lengths, or its inverse where that is above 1. */
  readonly scale: readonly number[];
  /** The uncertainty of the measure of a pair, in pixels. */
  readonly uncertainty: readonly number[];
  /** The number of pairs that are mirrored or turned by a quarter or a half. */
  readonly turned: number;
  /** The shift [x, y] of each measured pair, for a picture. */
  readonly shifts: readonly (readonly [number, number])[];
}

/** The most points of a picture; more would not be seen. */
const MOST_POINTS = 2000;
const MOST_SIZES = 20;

/** Looks at every image of a data set once and reports what is wrong with the data set. */
export async function auditDataset(dataset: Dataset, options: AuditOptions = {}): Promise<AuditReport> {
  const { faults = [], folds, quick = false, seed = 0, signal } = options;
  const scanned = await scan(dataset, options);
  const { samples, modalities } = dataset;
  const groups = [];
  for (const [i, modality] of modalities.entries()) {
    groups.push(...(await groupDuplicates(dataset, modality, scanned.images[i]!.prints, signal)));
  }
  const foldOf = (position: number) =>
    folds === undefined ? samples[position]!.fold : folds[samples[position]!.id];
  const suitability = scanned.pairs.flatMap(({ a, b, related }): PairSuitability[] => {
    const found = judgeSuitability(related, seed);
    if (found === undefined) return [];
    return [{ modalities: [modalities[a]!, modalities[b]!], ...found, premise: premise(found) }];
  });
  const swapped = findSwapped(scanned);
  const composites = await findOddComposites(scanned);
  const copies = findCrossModalCopies(scanned);
  const findings = [
    ...faultFindings(faults),
    ...settingFindings(scanned, faults),
    ...imageFindings(scanned, explainedByPairs(scanned, { swapped, composites, copies })),
    ...pairFindings(scanned, swapped, composites),
    ...duplicateFindings(dataset, groups, foldOf),
    ...crossModalFindings(dataset, copies),
    ...setFindings(dataset, foldOf),
    ...missingFindings(dataset, foldOf),
    ...spellingFindings(dataset, foldOf),
    ...suitabilityFindings(suitability),
  ];
  const order: readonly Severity[] = ['error', 'warning', 'info'];
  return {
    version: 2,
    data: dataset.name,
    quick,
    samples: samples.length,
    subjects: subjectCount(dataset),
    classes: Object.fromEntries(classCounts(dataset)),
    ...(dataset.published === undefined ? {} : { published: dataset.published }),
    modalities: modalities.map((name, i) => summarise(name, dataset, scanned.images[i]!)),
    combinations: combinations(dataset),
    alignment: quick ? [] : scanned.pairs.flatMap((pair) => alignment(scanned, pair)),
    suitability,
    counts: countBySeverity(findings),
    findings: order.flatMap((severity) => findings.filter((one) => one.severity === severity)),
    contentHash: scanned.contentHash,
  };
}

/** The findings whose samples should all go; below, those of whose samples one may stay. */
const ALL_GO: ReadonlySet<string> = new Set([
  'missing-mate',
  'missing-file',
  'bad-row',
  'unreadable',
  'odd-composite',
  'blank',
  'shape-mismatch',
  'same-image',
  'swapped',
  'copies-across-modalities',
  'exact-duplicates-across-classes',
  'near-duplicates-across-classes',
]);
const ONE_STAYS: ReadonlySet<string> = new Set(['exact-duplicates']);

/** Findings that concern one image of a sample, whatever others it has. */
const OF_ONE_IMAGE: ReadonlySet<string> = new Set(['unreadable', 'blank']);

/** A sample to leave out. */
export interface SampleToDrop extends DroppedSample {
  /** The modality of the image that is at fault, where it is one alone and the sample's others may be sound. */
  readonly modality?: string;
}

/** Lists the samples to leave out, each once, with the first reason found. */
export function samplesToDrop({ findings }: Pick<AuditReport, 'findings'>): SampleToDrop[] {
  const dropped = new Map<string, SampleToDrop>();
  for (const { code, items } of findings) {
    if (!ALL_GO.has(code) && !ONE_STAYS.has(code)) continue;
    for (const { ids, modality } of items) {
      for (const id of ONE_STAYS.has(code) ? ids.slice(1) : ids) {
        // A faulty row of a manifest may lack even its id.
        if (id === '' || dropped.has(id)) continue;
        const reason = modality === undefined ? code : `${code} (${modality})`;
        dropped.set(id, { id, reason, ...(OF_ONE_IMAGE.has(code) && { modality }) });
      }
    }
  }
  return [...dropped.values()];
}

function summarise(name: string, { simulated = [], samples }: Dataset, table: ImageTable): ModalitySummary {
  const without = samples.filter((sample) => !hasImage(sample, name));
  const readable = [...table.channels.keys()].filter((position) => table.isReadable(position));
  const sizes = new Map<string, number>();
  for (const position of readable) {
    const size = sizeOf(table, position);
    sizes.set(size, (sizes.get(size) ?? 0) + 1);
  }
  const most = [...sizes].sort(([, a], [, b]) => b - a).slice(0, MOST_SIZES);
  const spread = (values: Float32Array) =>
    percentiles(
      readable.map((position) => values[position]!),
      [0.05, 0.5, 0.95],
    );
  return {
    name,
    simulated: simulated.includes(name),
    missing: without.length,
    missingSubjects: subjectCount({ samples: without }),
    readable: readable.length,
    sizes: Object.fromEntries(most),
    brightness: spread(table.mean),
    contrast: spread(table.deviation),
  };
}

function alignment({ dataset: { modalities } }: Scan, { a, b, table }: ScannedPair): AlignmentSummary[] {
  const measured = table.measured();
  if (measured.length === 0) return [];
  const shifts = measured.map(
    (position) => [rounded(table.x[position]!), rounded(table.y[position]!)] as const,
  );
  const upright = measured.filter((position) => table.orientation[position] === 0);
  const spread = (positions: readonly number[], of: (position: number) => number) =>
    percentiles(positions.map(of), [0.5, 0.95, 0.99]);
  const every = Math.ceil(shifts.length / MOST_POINTS);
  return [
    {
      modality: modalities[b]!,
      against: modalities[a]!,
      measured: measured.length,
      medianX: rounded(median(shifts.map(([across]) => across))),
      medianY: rounded(median(shifts.map(([, down]) => down))),
      distance: spread(measured, (position) => Math.hypot(table.x[position]!, table.y[position]!)),
      turn: spread(upright, (position) => Math.abs(table.degrees[position]!)),
      scale: spread(upright, (position) => Math.max(table.scale[position]!, 1 / table.scale[position]!)),
      uncertainty: spread(measured, (position) => table.uncertainty[position]!),
      turned: measured.length - upright.length,
      shifts: shifts.filter((_, i) => i % every === 0),
    },
  ];
}

function percentiles(values: readonly number[], shares: readonly number[]): number[] {
  if (values.length === 0) return [];
  const sorted = Float64Array.from(values).sort();
  return shares.map((share) => rounded(sorted[Math.round(share * (sorted.length - 1))]!));
}

function rounded(value: number): number {
  return Math.round(100 * value) / 100 + 0; // no −0 in the JSON
}
