/** The measures on pairs, which need no labels: the claims as tables, and Figures 4 and 5. */

import { chosenPairs, claimsTable, zoneCounts, zonesTable } from '../../evaluation/results/claimsTable.js';
import { fewWarning, intervalName, tooFew } from '../../evaluation/results/fewSubjects.js';
import { imagesName } from '../../evaluation/results/names.js';
import type { NamedPairs, PairsResult } from '../../evaluation/results/pairsResult.js';
import type { MessageConsole } from '../../log/console.js';
import { counted } from '../../text/numbers.js';
import type { Table } from '../../text/table/model.js';
import { projectionFigures } from '../figures/projectionFigure.js';
import { similarityFigures } from '../figures/similarityFigure.js';
import { exampleImages } from '../source/exampleImages.js';
import type { RunData, Unavailable } from '../source/runData.js';
import type { RunRecord } from '../source/runRecord.js';
import type { FigureGroup, StudyMechanism } from './study.js';

/**
 * Figure 5 shows map 3, which is fine enough to show anatomy and coarse enough to recognise it. The others are in the
 * JSON.
 */
export const SHOWN_MAP = 3;

export interface ExampleSource {
  readonly run: RunRecord | undefined;
  readonly data: RunData | Unavailable;
  /** Whether images may be shown. */
  readonly show: boolean;
  readonly console: MessageConsole;
}

/**
 * @param results the results on one data set
 * @param set the name of the data set, where it is not the one that the encoders were pretrained on; or of the
 * modalities, where there are more than two
 */
export async function mechanismOf(
  results: readonly NamedPairs[],
  source: ExampleSource,
  set?: string,
): Promise<StudyMechanism> {
  const [first] = results;
  if (first === undefined) return { groups: [], tables: [] };
  const on = set === undefined ? '' : ` on ${set}`;
  const tables = tablesOf(results, on);
  const images = await imagesOf(first, source);
  const groups: FigureGroup[] = [
    { title: `Figure 4: partners in the plane${on}`, figures: ['tsne', 'pca'] as const },
  ].map(({ title, figures }) => ({
    title,
    figures: figures.flatMap((kind) => projectionFigures(results, kind)),
  }));
  const similar = {
    title: `Figure 5: where patches are alike${on}`,
    figures: similarityFigures(results, { map: SHOWN_MAP, images }),
  };
  // Figures of another data set, or of other modalities, have names of their own.
  const prefix = set === undefined ? '' : `${set.toLowerCase().replace(/[^a-z0-9]+/g, '-')}-`;
  const named = [...groups, similar].map(({ title, figures }) => ({
    title,
    figures: figures.map((figure) => ({ ...figure, id: prefix + figure.id })),
  }));
  return { tables, groups: named.filter(({ figures }) => figures.length > 0) };
}

/** The claims, and the agreement at the lesion where one is known. @param on the end of the titles */
function tablesOf(results: readonly NamedPairs[], on: string): Table[] {
  const { data, bootstrap } = results[0]!.record;
  const few = tooFew(data);
  const between = intervalName(few, Math.round(100 * bootstrap.confidence));
  const warning = few === undefined ? '' : `${fewWarning(few)} `;
  const about = `${warning}${counted(data.pairs)} pairs of ${counted(data.subjects)} subjects of ${data.name}, ${chosenPairs(data)}; in brackets the ${between} over subjects`;
  const zones = zonesTable(results);
  return [
    {
      ...claimsTable(results),
      title: `The paper’s claims about pairs${on}`,
      caption: `${about}. By chance: an image of another subject in place of the partner, or guessing. A claim holds where a value is better than chance and better than the untrained encoder’s.`,
    },
    ...(zones === undefined
      ? []
      : [
          {
            ...zones,
            title: `Whether patches agree at the lesion${on}`,
            caption: `${about}; ${counted(data.withLesion)} have a known lesion. In round brackets by chance. ${zoneCounts(results)}`,
          },
        ]),
  ];
}

/** The results on pairs of one run, each on two modalities. */
export interface MeasuredRun {
  readonly name: string;
  /** On pairs that may be looked at. */
  readonly open: readonly PairsResult[];
  /** On pairs that are set aside. */
  readonly aside: readonly PairsResult[];
}

/** The measures of several runs, for each two modalities apart; those on pairs set aside come last. */
export async function mechanismsOf(
  runs: readonly MeasuredRun[],
  source: ExampleSource,
): Promise<StudyMechanism> {
  const open = byModalities(runs.flatMap(({ name, open: own }) => own.map((record) => ({ name, record }))));
  const aside = byModalities(runs.flatMap(({ name, aside: own }) => own.map((record) => ({ name, record }))));
  const found: StudyMechanism[] = [];
  for (const [modalities, results] of open) found.push(await mechanismOf(results, source, modalities));
  return {
    tables: [
      ...found.flatMap(({ tables }) => tables),
      ...aside.flatMap(([modalities, results]) => {
        const on = modalities === undefined ? '' : ` on ${modalities}`;
        return tablesOf(results, `${on}, set aside`);
      }),
    ],
    groups: found.flatMap(({ groups }) => groups),
  };
}

/** Groups the results by their modalities, which have a name where the data has more than two. */
function byModalities(results: readonly NamedPairs[]): [string | undefined, NamedPairs[]][] {
  const groups = new Map<string | undefined, NamedPairs[]>();
  for (const one of results) {
    const { among, modalities } = one.record.data;
    const named = among === undefined ? undefined : modalities.map(imagesName).join(' and ');
    groups.set(named, [...(groups.get(named) ?? []), one]);
  }
  return [...groups];
}

async function imagesOf({ record }: NamedPairs, { run, data, show, console }: ExampleSource) {
  if (!show || run === undefined || 'reason' in data || data.published !== record.data.dataHash)
    return undefined;
  return exampleImages(run.config, record, console);
}
