/**
 * Tables of the claims on pairs. Each claim stands beside chance, the untrained encoder and the pixels, for several
 * runs side by side.
 */

import { counted, numbered } from '../../text/numbers.js';
import { markdownTable } from '../../text/table/markdown.js';
import { type Cell, type NumberOptions, number, type Table, tableOf, text } from '../../text/table/model.js';
import { fewWarning, intervalName, tooFew } from './fewSubjects.js';
import { featuresName, sourceName } from './names.js';
import { claims, type NamedPairs, type PairMeasure, type PairsResult } from './pairsResult.js';

type Zone = NonNullable<PairMeasure['zone']>;

/** Says which pairs of the data were measured. */
export function chosenPairs({ chosen, drawnFrom }: PairsResult['data']): string {
  const such = {
    'held-out': 'kept from the encoder that measured them',
    'set-aside': 'set aside, and kept from the encoder',
    all: 'there are',
  }[chosen];
  if (drawnFrom !== undefined) return `drawn from the ${drawnFrom.toLocaleString('en')} ${such}`;
  return chosen === 'all' ? `all ${such}` : such;
}

/** The name of a measure in the tables. */
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
 * Makes the table of the claims over all anchors, with a line for each claim and run. Below the runs stand the
 * untrained encoder and the pixels of the first run. They are the same for all runs that were measured on the same
 * pairs with the same settings.
 */
export function claimsTable(results: readonly NamedPairs[]): Table {
  const byClaim = new Map<string, NamedMeasure[]>();
  for (const one of named(results)) {
    if ((one.measure.zone ?? 'all') !== 'all') continue;
    const claim = claimName(one.measure);
    byClaim.set(claim, [...(byClaim.get(claim) ?? []), one]);
  }
  // The loss of Eq. 5 is tiny where it is taken literally, and so is the distance of collapsed embeddings.
  const places = ({ measure: { claim } }: NamedMeasure) =>
    claim === 'consistency' ? 5 : claim === 'distance' ? 4 : 3;
  return tableOf([...byClaim.values()].flat(), [
    { header: 'claim', words: true, cell: ({ measure }) => text(claimName(measure)) },
    { header: 'of', words: true, cell: ({ of }) => text(of) },
    { header: 'value', cell: (one) => measured(one.measure, { places: places(one) }) },
    {
      header: 'by chance',
      cell: (one) => number(one.measure.chance.value, { places: places(one) }),
    },
    {
      header: 'against chance',
      cell: ({ measure: { againstChance: against } }) =>
        measured(against, { as: against.kind === 'ratio' ? 'ratio' : 'difference' }),
    },
    { header: 'pairs', cell: ({ measure }) => number(measure.pairs, { places: 0 }) },
  ]);
}

/**
 * Makes the table on the premise of Fig. 1b: the agreement of anchors inside a lesion, around it and elsewhere in the
 * same images, each beside chance. Undefined where no lesion is known.
 */
export function zonesTable(results: readonly NamedPairs[]): Table | undefined {
  const lines = new Map<string, ZonesLine>();
  for (const { of, measure } of named(results)) {
    const { zone = 'all', features, grid } = measure;
    if (zone === 'all') continue;
    const line = { features: featuresName(features), grid: `${grid}×${grid}`, of };
    const key = JSON.stringify(line);
    if (!lines.has(key)) lines.set(key, { ...line, zones: new Map() });
    lines.get(key)!.zones.set(zone, measure);
  }
  if (lines.size === 0) return undefined;
  const map = ({ features, grid }: ZonesLine) => [features, grid].join();
  const beside = (measure: PairMeasure | undefined): Cell =>
    measure === undefined ? UNDEFINED : measured(measure, { chance: measure.chance.value });
  const lessRest = (measure: PairMeasure | undefined): Cell =>
    measure?.againstRest === undefined ? UNDEFINED : measured(measure.againstRest, { as: 'difference' });
  return tableOf(
    [...lines.values()].sort((one, other) => (map(one) < map(other) ? -1 : 1)),
    [
      { header: 'features', words: true, cell: ({ features }) => text(features) },
      { header: 'grid', cell: ({ grid }) => text(grid) },
      { header: 'of', words: true, cell: ({ of }) => text(of) },
      { header: 'in the lesion', cell: ({ zones }) => beside(zones.get('inside')) },
      { header: 'around it', cell: ({ zones }) => beside(zones.get('around')) },
      { header: 'elsewhere', cell: ({ zones }) => beside(zones.get('rest')) },
      { header: 'in − elsewhere', cell: ({ zones }) => lessRest(zones.get('inside')) },
      { header: 'around − elsewhere', cell: ({ zones }) => lessRest(zones.get('around')) },
    ],
  );
}

const ZONES = ['inside', 'around', 'rest'] as const satisfies readonly Zone[];

/**
 * Says of each grid how many pairs have anchors of each zone. A small lesion fills half of no patch, so those in the
 * lesion may be few of the pairs that have one.
 */
export function zoneCounts(results: readonly NamedPairs[]): string {
  const measures = results.flatMap(({ record }) => record.measures);
  const grids = [...new Set(measures.flatMap(({ zone, grid }) => (zone === 'inside' ? [grid!] : [])))];
  const counts = (grid: number) =>
    ZONES.map((zone) => {
      const own = measures.filter((measure) => measure.zone === zone && measure.grid === grid);
      return counted(Math.max(0, ...own.map(({ pairs }) => pairs)));
    });
  const told = grids
    .sort((a, b) => a - b)
    .map((grid) => `${counts(grid).join(', ')} of ${grid}×${grid} patches`);
  return `Pairs with anchors in the lesion, around it and elsewhere: ${told.join('; ')}.`;
}

/** The measures of one run on one map, by the place of the anchors. */
interface ZonesLine {
  readonly features: string;
  readonly grid: string;
  readonly of: string;
  readonly zones: Map<Zone, PairMeasure>;
}

const UNDEFINED = number(null);

function measured({ value, low, high }: Measured, options: NumberOptions): Cell {
  return number(value, { low, high, ...options });
}

type Measured = Pick<PairMeasure, 'value' | 'low' | 'high'>;

/** A measure with the name of the row that it belongs to. */
interface NamedMeasure {
  readonly of: string;
  readonly measure: PairMeasure;
}

/**
 * Lists the measures claim by claim: those of every run, then those of the baselines, which are taken from the first
 * run.
 */
function named(results: readonly NamedPairs[]): NamedMeasure[] {
  const runs = results.flatMap(({ name, record }) =>
    record.measures
      .filter(({ source }) => source === 'run')
      .map((measure) => ({ of: name + exposed(record), measure })),
  );
  const others = (['untrained', 'pixels'] as const).flatMap((source) =>
    (results[0]?.record.measures ?? [])
      .filter((measure) => measure.source === source)
      .map((measure) => ({ of: sourceName(source), measure })),
  );
  const rank = ({ measure }: (typeof runs)[number]) => claims.indexOf(measure.claim);
  return [...runs, ...others].sort((a, b) => rank(a) - rank(b));
}

function exposed({ exposure }: PairsResult): string {
  return exposure.kind === 'transductive' ? ', transductive' : '';
}

/** Lists each note once. A note that is not of all runs begins with their names. */
function notesOf(results: readonly NamedPairs[]): string[] {
  const names = new Map<string, string[]>();
  for (const { name, record } of results) {
    for (const note of record.notes) names.set(note, [...(names.get(note) ?? []), name]);
  }
  return [...names].map(([note, own]) =>
    own.length === results.length ? `- ${note}` : `- ${note} (${own.join('; ')})`,
  );
}

/** The tables in Markdown, with the sentences that explain them. */
export function formatClaims(results: readonly NamedPairs[]): string {
  const zones = zonesTable(results);
  const { data, bootstrap } = results[0]!.record;
  const few = tooFew(data);
  const between = intervalName(few, Math.round(100 * bootstrap.confidence));
  const sections = [
    `## Claims on pairs of ${data.name}`,
    `${numbered(data.pairs, 'pair')} of ${numbered(data.subjects, 'subject')} (${chosenPairs(data)}); in brackets the ${between}, by ` +
      `${bootstrap.replicates.toLocaleString('en')} bootstraps of subjects. Chance: an image of another subject in place of the mate; for L_Glo and retrieval, guessing.`,
    few === undefined ? '' : `**${fewWarning(few)}**`,
    markdownTable(claimsTable(results)),
    ...(zones === undefined
      ? []
      : [
          `### Agreement of patches by where the anchor lies, in ${numbered(data.withLesion, 'pair')} with a known lesion; in brackets by chance`,
          zoneCounts(results),
          markdownTable(zones),
        ]),
    notesOf(results).join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}
