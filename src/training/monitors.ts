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
  uniformity,
} from '../metrics/index.js';
import { Random } from '../tensor/index.js';
import { type Embeddings, type EmbedOptions, embed } from './embed.js';

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
};

/**
 * Computes `uniformity/M` and `featureDeviation/M` (1 is healthy, 0 collapsed) of each modality, `retrieval/A-to-B` and
 * its reverse of each pair of modalities, the number of pairs among which they were sought as `retrievalPairs`, and
 * `alignment`, the mean over these pairs, from the embeddings; and `knnAuc/M` of each modality and of both (or `all`,
 * where there are more) from the pooled features. Values that are not finite are only counted, as `nonFinite`.
 */
export async function monitor(
  plan: MonitorPlan,
  { encoderFor, modalities, ...options }: MonitorEmbedding,
): Promise<Record<string, number>> {
  const look = async (indices: readonly number[]) => {
    const embedded: Embeddings[] = [];
    for (const modality of modalities) {
      embedded.push(await embed({ ...options, encoder: encoderFor(modality), modality, indices }));
    }
    return embedded;
  };
  const queries = await look(plan.queries);
  const broken = queries
    .flatMap(({ embedding, features }) => [embedding, features])
    .reduce((count, values) => count + values.filter((value) => !Number.isFinite(value)).length, 0);
  if (broken > 0) return { nonFinite: broken };
  const features = queries.map(({ embedding, rows }, m) => {
    return { name: modalities[m]!, of: featureRows(embedding, rows, embedding.length / rows) };
  });
  const pairs = features.flatMap((a, m) => features.slice(m + 1).map((b) => [a, b] as const));
  const found: Record<string, number> = {};
  if (pairs.length > 0) {
    found.alignment = pairs.reduce((sum, [a, b]) => sum + alignment(a.of, b.of), 0) / pairs.length;
  }
  for (const { name, of } of features) found[`uniformity/${name}`] = uniformity(of);
  for (const { name, of } of features) {
    found[`featureDeviation/${name}`] = featureDeviation(of) * Math.sqrt(of.columns);
  }
  for (const [a, b] of pairs) {
    const { aToB, bToA } = retrievalAtOne(a.of, b.of);
    found[`retrieval/${a.name}-to-${b.name}`] = aToB;
    found[`retrieval/${b.name}-to-${a.name}`] = bToA;
  }
  if (pairs.length > 0) found.retrievalPairs = plan.queries.length;
  return { ...found, ...(await knn(plan, queries, look, modalities)) };
}

async function knn(
  { queries, references, labels, neighbours }: MonitorPlan,
  embedded: readonly Embeddings[],
  look: (indices: readonly number[]) => Promise<Embeddings[]>,
  modalities: readonly string[],
): Promise<Record<string, number>> {
  if (labels === undefined || references.length === 0) return {};
  const voters = await look(references);
  const classOf = (positions: readonly number[]) => positions.map((position) => labels[position]!);
  const auc = (train: Features, test: Features): number => {
    const probabilities = neighbourProbabilities(train, classOf(references), test, {
      k: Math.min(neighbours, train.rows),
    });
    return classificationMetrics(probabilities, classOf(queries)).auc ?? Number.NaN;
  };
  const rows = ({ features, rows: n }: Embeddings) => featureRows(features, n, features.length / n);
  const found: Record<string, number> = {};
  modalities.forEach((modality, i) => {
    found[`knnAuc/${modality}`] = auc(rows(voters[i]!), rows(embedded[i]!));
  });
  if (modalities.length > 1) {
    const together = modalities.length === 2 ? 'knnAuc/both' : 'knnAuc/all';
    found[together] = auc(joinColumns(voters.map(rows)), joinColumns(embedded.map(rows)));
  }
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
