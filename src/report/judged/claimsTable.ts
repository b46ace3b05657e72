/** The claims on pairs as a table: each beside chance, the same encoder untrained and the pixels; several runs side by side. */

import type { NamedPairs, PairMeasure, PairsResult } from '../../evaluation/results/pairsResult.js';
import { markdownTable } from '../../text/markdownTable.js';
import { fixed, numbered, signed } from '../../text/numbers.js';

export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

type Source = PairMeasure['source'];
type Zone = NonNullable<PairMeasure['zone']>;

const sources: Readonly<Record<Exclude<Source, 'run'>, string>> = {
  untrained: 'untrained, calibrated',
  pixels: 'pixels',
};

/** Which of the data's pairs were measured. */
export const CHOSEN: Readonly<Record<PairsResult['data']['chosen'], string>> = {
  'held-out': 'kept from the encoder that measured them',
  'set-aside': 'set aside, and kept from the encoder',
  all: 'all there are',
};

const featureNames: Readonly<Record<string, string>> = {
  head: 'head embeddings',
  pooled: 'pooled last map',
  thumbnail: '12×12 thumbnails',
  'patch-mean': 'means of patches',
  'patch-pixels': 'pixels of patches',
};

const featuresName = (features: string): string =>
  featureNames[features] ?? features.replace(/^map(\d)$/, 'map $1');

/** What a measure is called. */
export function claimName({ claim, features, direction, grid }: PairMeasure): string {
  const on = featuresName(features);
  switch (claim) {
    case 'consistency':
      return 'L_C (Eq. 6)';
    case 'global':
      return 'L_Glo (Eq. 11), nats';
    case 'distance':
      return `Fig. 4: 1 − cosine of mates, ${on}`;
    case 'retrieval':
      return `Fig. 4: mates found first ${direction!.replace('-to-', '→')}, ${on}`;
    case 'agreement':
      return `Fig. 5: agreement of patches, ${on}, ${grid}×${grid}`;
  }
}

/**
 * The claims over all anchors, one line a claim and run. The untrained encoder and the pixels stand once below the runs, those
 * of the first one: they are the same for all that were measured on the same pairs with the same settings.
 */
export function claimsTable(results: readonly NamedPairs[]): Table {
  const lines = new Map<string, string[][]>();
  for (const { of, measure } of named(results)) {
    const { zone = 'all', chance, againstChance: against, pairs } = measure;
    if (zone !== 'all') continue;
    const claim = claimName(measure);
    // Eq. 5 is tiny where it is taken literally.
    const places = measure.claim === 'consistency' ? 5 : 3;
    const compared = against.kind === 'ratio' ? `× ${told(against)}` : told(against, 3, true);
    const line = [claim, of, told(measure, places), fixed(chance.value, places), compared, String(pairs)];
    lines.set(claim, [...(lines.get(claim) ?? []), line]);
  }
  return {
    header: ['claim', 'of', 'value', 'by chance', 'against chance', 'pairs'],
    rows: [...lines.values()].flat(),
  };
}

/**
 * The premise of Fig. 1b: agreement of anchors inside and around a lesion and elsewhere in the same images, each beside chance.
 * Undefined where no lesion is known.
 */
export function zonesTable(results: readonly NamedPairs[]): Table | undefined {
  const lines = new Map<string, Map<Zone, PairMeasure>>();
  for (const { of, measure } of named(results)) {
    const { zone = 'all', features, grid } = measure;
    if (zone === 'all') continue;
    const line = [featuresName(features), `${grid}×${grid}`, of].join('\n');
    lines.set(line, (lines.get(line) ?? new Map()).set(zone, measure));
  }
  if (lines.size === 0) return undefined;
  const beside = (measure: PairMeasure | undefined): string =>
    measure === undefined ? '–' : `${told(measure)} (${fixed(measure.chance.value)})`;
  const lessRest = (measure: PairMeasure | undefined): string =>
    measure?.againstRest === undefined ? '–' : told(measure.againstRest, 3, true);
  return {
    header: [
      'features',
      'grid',
      'of',
      'in the lesion',
      'around it',
      'elsewhere',
      'in − elsewhere',
      'around − elsewhere',
    ],
    rows: [...lines]
      .sort(([one], [other]) => (one.split('\n', 2).join() < other.split('\n', 2).join() ? -1 : 1))
      .map(([line, zones]) => [
        ...line.split('\n'),
        ...(['inside', 'around', 'rest'] as const).map((zone) => beside(zones.get(zone))),
        lessRest(zones.get('inside')),
        lessRest(zones.get('around')),
      ]),
  };
}

/** Of the claims in the tables: that of the losses, then those of the paper's figures. */
const ORDER: readonly PairMeasure['claim'][] = [
  'consistency',
  'global',
  'distance',
  'retrieval',
  'agreement',
];

/** Claim by claim those of every run, then what they are compared with, of the first one. */
function named(results: readonly NamedPairs[]): { of: string; measure: PairMeasure }[] {
  const runs = results.flatMap(({ name, record }) =>
    record.measures
      .filter(({ source }) => source === 'run')
      .map((measure) => ({ of: name + exposed(record), measure })),
  );
  const others = (['untrained', 'pixels'] as const).flatMap((source) =>
    (results[0]?.record.measures ?? [])
      .filter((measure) => measure.source === source)
      .map((measure) => ({ of: sources[source], measure })),
  );
  const rank = ({ measure }: (typeof runs)[number]) => ORDER.indexOf(measure.claim);
  return [...runs, ...others].sort((a, b) => rank(a) - rank(b));
}

function exposed({ exposure }: PairsResult): string {
  return exposure.kind === 'transductive' ? ', transductive' : '';
}

function told(
  { value, low, high }: { value: number | null; low: number | null; high: number | null },
  places = 3,
  sign = false,
): string {
  const shown = (number: number | null) => (sign ? signed(number, places) : fixed(number, places));
  return low === null || high === null ? shown(value) : `${shown(value)} [${shown(low)}, ${shown(high)}]`;
}

/** Each note once; what is not true of all has the names it is true of. */
function notesOf(results: readonly NamedPairs[]): string[] {
  const names = new Map<string, string[]>();
  for (const { name, record } of results) {
    for (const note of record.notes) names.set(note, [...(names.get(note) ?? []), name]);
  }
  return [...names].map(([note, own]) =>
    own.length === results.length ? `- ${note}` : `- ${note} (${own.join('; ')})`,
  );
}

/** The tables in Markdown, with what must be known to read them. */
export function formatClaims(results: readonly NamedPairs[]): string {
  const zones = zonesTable(results);
  const { data, bootstrap } = results[0]!.record;
  const percent = Math.round(100 * bootstrap.confidence);
  const inMarkdown = ({ header, rows }: Table) => markdownTable(header, rows);
  const sections = [
    `## Claims on pairs of ${data.name}`,
    `${numbered(data.pairs, 'pair')} of ${numbered(data.subjects, 'subject')} (${CHOSEN[data.chosen]}); ${percent} % intervals by ` +
      `${bootstrap.replicates.toLocaleString('en')} bootstraps of subjects. Chance: an image of another subject in place of the mate; for L_Glo and retrieval, guessing.`,
    inMarkdown(claimsTable(results)),
    ...(zones === undefined
      ? []
      : [
          `### Agreement of patches by where the anchor lies, in ${numbered(data.withLesion, 'pair')} with a known lesion; in brackets by chance`,
          inMarkdown(zones),
        ]),
    notesOf(results).join('\n'),
  ];
  return `${sections.join('\n\n')}\n`;
}
