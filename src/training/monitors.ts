/**
 * The monitors tell whether training works: they look at the embeddings of some pairs, held-out ones where there are
 * any.
 */

import type { MessageConsole } from '../log/console.js';
import {
  alignment,
  classificationMetrics,
  type Features,
  featureDeviation,
  featureRows,
  joinColumns,
  neighbourProbabilities,
  retrievalAtOne,
  takeRows,
  uniformity,
} from '../metrics/index.js';
import { Random } from '../tensor/index.js';
import { type EmbedOptions, embed } from './embed.js';

export interface MonitorPlan {
  /** The positions of the pairs looked at. */
  readonly queries: readonly number[];
  /** The positions of the training pairs that vote in kNN; empty where none are left to vote. */
  readonly references: readonly number[];
  /** The class number, 0 or 1, by position in the data set; absent without labels. */
  readonly labels?: readonly number[];
  /** The number of neighbours that vote. */
  readonly neighbours: number;
}

export interface MonitorPlanOptions {
  /** The positions of the pairs trained on. */
  readonly trained: readonly number[];
  /** The positions of the pairs held out. */
  readonly heldOut: readonly number[];
  readonly subjects: readonly string[];
  readonly labels?: readonly number[];
  readonly pairs: number;
  readonly neighbours: number;
  readonly seed: number;
}

/**
 * Chooses the pairs, once and by the seed: up to `pairs` held-out ones, with twice as many training pairs to vote.
 * Where nothing is held out, half of the subjects of the training pairs vote on the other half. No patient votes for
 * itself.
 */
export function planMonitors(options: MonitorPlanOptions): MonitorPlan {
  const { trained, heldOut, subjects, labels, pairs, neighbours, seed } = options;
  const random = new Random(seed, 'monitor');
  const sample = (from: readonly number[], count: number): number[] =>
    Array.from(random.permutation(from.length).subarray(0, count), (position) => from[position]!).sort(
      (a, b) => a - b,
    );
  if (heldOut.length > 1) {
    const queries = sample(heldOut, pairs);
    const asked = new Set(queries.map((position) => subjects[position]!));
    const strangers = trained.filter((position) => !asked.has(subjects[position]!));
    return { queries, references: sample(strangers, 2 * pairs), labels, neighbours };
  }
  const distinct = [...new Set(trained.map((position) => subjects[position]!))];
  const voting = new Set(
    Array.from(
      random.permutation(distinct.length).subarray(0, Math.ceil(distinct.length / 2)),
      (i) => distinct[i]!,
    ),
  );
  const voters = trained.filter((position) => voting.has(subjects[position]!));
  const others = trained.filter((position) => !voting.has(subjects[position]!));
  if (others.length < 2) return { queries: sample(trained, pairs), references: [], labels, neighbours };
  return { queries: sample(others, pairs), references: sample(voters, pairs), labels, neighbours };
}

/**
 * The share of a healthy 1/√d below which a deviation is called a collapse. Embeddings after a ReLU share a direction
 * from the start: an untrained head has some 0.05.
 */
export const COLLAPSE = 0.01;

export type MonitorEmbedding = Omit<EmbedOptions, 'modality' | 'indices' | 'encoder'> & {
  encoderFor: (modality: string) => EmbedOptions['encoder'];
  modalities: readonly string[];
  /** For each modality that some samples lack, the positions of those that have it; absent: nothing is missing. */
  present?: Readonly<Record<string, readonly number[]>>;
};

/** What the encoder of a modality makes of the samples that have it. */
interface Look {
  readonly name: string;
  readonly positions: readonly number[];
  readonly embedding: Features;
  readonly features: Features;
}

/**
 * Computes `uniformity/M` and `featureDeviation/M` (1 is healthy, 0 collapsed) of each modality, `retrieval/A-to-B` and
 * its reverse of each pair of modalities, the number of pairs among which they were sought as `retrievalPairs` (or
 * `retrievalPairs/A-to-B`, where images are missing), and `alignment`, the mean over these pairs, from the embeddings;
 * and `knnAuc/M` of each modality and of both (or `all`, where there are more) from the pooled features. Each value is
 * of the samples that have the images; it is left out where these are fewer than two. Values that are not finite are
 * only counted, as `nonFinite`.
 */
export async function monitor(
  plan: MonitorPlan,
  { encoderFor, modalities, present, ...options }: MonitorEmbedding,
): Promise<Record<string, number>> {
  const having = new Map(
    modalities.map((modality) => [modality, present?.[modality] && new Set(present[modality])]),
  );
  const look = async (indices: readonly number[]): Promise<Look[]> => {
    const looks: Look[] = [];
    for (const name of modalities) {
      const positions = indices.filter((position) => having.get(name)?.has(position) ?? true);
      const own = { ...options, encoder: encoderFor(name), modality: name, indices: positions };
      const { embedding, features, rows } = await embed(own, ['embedding', 'features']);
      looks.push({ name, positions, embedding: asRows(embedding, rows), features: asRows(features, rows) });
    }
    return looks;
  };
  const queries = await look(plan.queries);
  const broken = queries
    .flatMap(({ embedding, features }) => [embedding.data, features.data])
    .reduce((count, values) => count + values.filter((value) => !Number.isFinite(value)).length, 0);
  if (broken > 0) return { nonFinite: broken };
  const seen = queries.filter(({ positions }) => positions.length > 1);
  const pairs = seen.flatMap((a, m) => {
    return seen.slice(m + 1).flatMap((b) => {
      const both = shared([a, b]);
      if (both.length < 2) return [];
      return [{ a, b, of: [a, b].map((one) => rowsAt(one, 'embedding', both)), count: both.length }];
    });
  });
  const found: Record<string, number> = {};
  if (pairs.length > 0) {
    found.alignment = pairs.reduce((sum, { of: [a, b] }) => sum + alignment(a!, b!), 0) / pairs.length;
  }
  for (const { name, embedding } of seen) found[`uniformity/${name}`] = uniformity(embedding);
  for (const { name, embedding } of seen) {
    found[`featureDeviation/${name}`] = featureDeviation(embedding) * Math.sqrt(embedding.columns);
  }
  for (const { a, b, of } of pairs) {
    const { aToB, bToA } = retrievalAtOne(of[0]!, of[1]!);
    found[`retrieval/${a.name}-to-${b.name}`] = aToB;
    found[`retrieval/${b.name}-to-${a.name}`] = bToA;
  }
  if (pairs.every(({ count }) => count === plan.queries.length)) {
    if (pairs.length > 0) found.retrievalPairs = plan.queries.length;
  } else {
    for (const { a, b, count } of pairs) found[`retrievalPairs/${a.name}-to-${b.name}`] = count;
  }
  return { ...found, ...(await knn(plan, queries, look)) };
}

function asRows(values: Float32Array, rows: number): Features {
  return featureRows(values, rows, rows === 0 ? 0 : values.length / rows);
}

/** The positions of the samples that have all of these images, in the order of the first. */
function shared([first, ...others]: readonly Look[]): readonly number[] {
  return others.reduce((left, { positions }) => {
    const has = new Set(positions);
    const both = left.filter((position) => has.has(position));
    return both.length === left.length ? left : both;
  }, first!.positions);
}

/** The rows of some samples, in their order. */
function rowsAt(look: Look, of: 'embedding' | 'features', positions: readonly number[]): Features {
  if (positions.length === look.positions.length) return look[of];
  const rowOf = new Map(look.positions.map((position, row) => [position, row]));
  return takeRows(
    look[of],
    positions.map((position) => rowOf.get(position)!),
  );
}

async function knn(
  { references, labels, neighbours }: MonitorPlan,
  embedded: readonly Look[],
  look: (indices: readonly number[]) => Promise<Look[]>,
): Promise<Record<string, number>> {
  if (labels === undefined || references.length === 0) return {};
  const voters = await look(references);
  const classOf = (positions: readonly number[]) => positions.map((position) => labels[position]!);
  const found: Record<string, number> = {};
  /** Judges by the images of these modalities the samples that have all of them. */
  const judge = (name: string, modalitiesOf: (looks: readonly Look[]) => readonly Look[]) => {
    const [train, test] = [modalitiesOf(voters), modalitiesOf(embedded)];
    const [voting, asked] = [shared(train), shared(test)];
    if (voting.length === 0 || asked.length === 0) return;
    const joined = (looks: readonly Look[], positions: readonly number[]) =>
      joinColumns(looks.map((one) => rowsAt(one, 'features', positions)));
    const k = Math.min(neighbours, voting.length);
    const probabilities = neighbourProbabilities(
      joined(train, voting),
      classOf(voting),
      joined(test, asked),
      { k },
    );
    found[`knnAuc/${name}`] = classificationMetrics(probabilities, classOf(asked)).auc ?? Number.NaN;
  };
  for (const [m, { name }] of embedded.entries()) judge(name, (looks) => [looks[m]!]);
  if (embedded.length > 1) judge(embedded.length === 2 ? 'both' : 'all', (looks) => looks);
  return found;
}

/**
 * Warns of collapsed embeddings once for each modality, at the second look in a row that finds them. In the first steps
 * batch norm's running statistics lag behind, and with them the embeddings of a healthy encoder lie close together for
 * a while.
 * @param found the values of a look of `monitor`
 * @param collapsed the number of looks in a row that found a collapse, by the name of the metric; this call updates it
 */
export function warnOfCollapse(
  found: Readonly<Record<string, number>>,
  collapsed: Map<string, number>,
  console: Pick<MessageConsole, 'warn'>,
): void {
  for (const [name, value] of Object.entries(found)) {
    if (!name.startsWith('featureDeviation/')) continue;
    const looks = collapsed.get(name) ?? 0;
    if (looks < 2) collapsed.set(name, value < COLLAPSE ? looks + 1 : 0);
    if (looks !== 1 || value >= COLLAPSE) continue;
    console.warn(
      `the embeddings of ${name.slice('featureDeviation/'.length)} have collapsed: their deviation is ${value.toFixed(4)} of a healthy one; lower the learning rate or raise tau`,
    );
  }
}
