/**
 * This room reads an experiment from a YAML file: the rows of a table, each a pretraining, and the protocols that judge
 * them all.
 */
import { dirname, resolve } from 'node:path';
import type { DatasetSpec } from '../../data/openDataset.js';
import { UsageError } from '../../errors.js';
import { labelProtocolNamed } from '../../evaluation/protocols/registry.js';
import { nearest } from '../../text/nearest.js';
import { datasetSpec } from '../../training/datasetSpec.js';
import {
  type EvaluationSettings,
  type ExperimentOverrides,
  type JudgedSet,
  judgedSets,
  lesions,
  ownData,
} from './data.js';
import { type ComparisonFamily, readExperimentFile } from './fileSchema.js';
import {
  choosingProtocol,
  type ExperimentProtocol,
  experimentProtocols,
  judgesLabels,
  kindsOf,
  validates,
} from './protocols.js';
import { type ExperimentRow, experimentRows } from './rows.js';

export interface Experiment {
  readonly name: string;
  readonly description?: string;
  readonly smoke: boolean;
  readonly data: DatasetSpec;
  /** The path of a splits file that the user gives. */
  readonly splits?: string;
  /** The folder with the lesion masks of `data`. */
  readonly masks?: string;
  readonly rows: readonly ExperimentRow[];
  readonly seeds: readonly number[];
  readonly protocols: readonly ExperimentProtocol[];
  readonly evaluation: EvaluationSettings;
  /** Further data that every row is judged on. */
  readonly judge: readonly JudgedSet[];
  readonly compare?: ComparisonFamily;
  /** The comparisons on the samples that are set aside. */
  readonly setAside?: ComparisonFamily;
}

/** The protocols of a file that names none. */
const BY_DEFAULT = [{ protocol: 'logreg' }, { protocol: 'linear' }];

/** The names in a family of comparisons that are no row's name. */
export const NOT_ROWS = ['untrained', 'thumbnail', 'best'];

/**
 * Reads an experiment and resolves the config of each row.
 * @throws UsageError naming the file, the row and the key of what is wrong
 */
export function readExperiment(file: string, overrides: ExperimentOverrides = {}): Experiment {
  const content = readExperimentFile(file);
  const smoke = overrides.smoke ?? false;
  if (smoke && content.smoke === undefined) {
    throw new UsageError(
      `${file}: has no smoke size; run it without --smoke, or add "smoke:" with small settings`,
    );
  }
  const chosen = smoke ? content.smoke : undefined;
  const seeds = chosen?.seeds ?? content.seeds ?? [0];
  const data = ownData(file, chosen?.data ?? content.data, overrides);
  const otherData = overrides.data !== undefined || chosen?.data !== undefined;
  const ownSplits = otherData ? undefined : content.splits;
  const masks =
    overrides.masks === undefined
      ? lesions(file, otherData ? undefined : content.masks, `${file}: masks`)
      : lesions('', overrides.masks, '--masks');
  const { folds, seed = 0, replicates = 2000 } = { ...content.evaluation, ...chosen?.evaluation };
  const evaluation = { folds, seed, replicates };
  const shortened = (protocols: readonly ExperimentProtocol[]) =>
    chosen === undefined ? [...protocols] : protocols.map(shorter(chosen.epochs));
  const entries = content.protocols ?? BY_DEFAULT;
  const protocols = shortened(experimentProtocols(entries, file));
  const rows = experimentRows({ file, content, smoke: chosen, data, seeds });
  if (overrides.masks !== undefined && protocols.every(judgesLabels)) {
    throw new UsageError(
      `--masks ${overrides.masks}: no protocol of ${file} reads lesions; add pairs to its protocols, or leave the masks out`,
    );
  }
  const judge = judgedSets({ file, content, overrides, protocols, evaluation, shortened });
  for (const set of [{ name: undefined, protocols }, ...judge]) refuseUnchosen(file, rows, set);
  const seeded = [...rows, ...protocols, ...judge.flatMap((set) => set.protocols)];
  refuseOtherSeeds(file, content.seeds ?? [0], seeded);
  const { compare } = content;
  if (content.setAside === true && compare === undefined) {
    throw new UsageError(
      `${file}: setAside is true, but there is no compare to repeat; name reference and against`,
    );
  }
  const setAside = content.setAside === true ? compare : content.setAside || undefined;
  for (const [where, family] of Object.entries({ compare, setAside })) {
    if (family === undefined) continue;
    checkFamily(family, `${file}: ${where}`, where === 'setAside', rows, protocols);
  }
  if (setAside !== undefined) refuseFolded(file, rows, setAside);
  return {
    name: content.name,
    description: content.description,
    smoke,
    data: datasetSpec(rows[0]!.candidates[0].configs[0]!),
    splits: overrides.splits ?? (ownSplits && resolve(dirname(file), ownSplits)),
    masks,
    rows,
    seeds,
    protocols,
    evaluation,
    judge,
    compare,
    setAside,
  };
}

/** Makes a protocol short for a smoke run: it judges every seed of the run, with fewer epochs if it trains by SGD. */
function shorter(epochs: number | undefined): (protocol: ExperimentProtocol) => ExperimentProtocol {
  return (protocol) => {
    const shortens = labelProtocolNamed(protocol.protocol)?.shortens?.(protocol.settings) ?? false;
    const settings = epochs === undefined || !shortens ? protocol.settings : { ...protocol.settings, epochs };
    return { ...protocol, settings, seeds: undefined };
  };
}

/**
 * Refuses candidates that nothing could choose between. The choice is by logistic regression inside each fold, on the
 * same labels, whatever protocol judges them then.
 */
function refuseUnchosen(
  file: string,
  rows: readonly ExperimentRow[],
  { name, protocols }: { readonly name?: string; readonly protocols: readonly ExperimentProtocol[] },
): void {
  const tuned = rows.find(({ candidates }) => candidates.length > 1);
  if (tuned === undefined) return;
  const where = name === undefined ? '' : ` of ${name}`;
  const refused = (what: string) =>
    new UsageError(`${file}: row ${tuned.name} has variants, which are chosen between by logreg${what}`);
  for (const protocol of protocols.filter(judgesLabels)) {
    const chooser = choosingProtocol(protocols, protocol);
    const { labelFraction = 1 } = protocol.settings;
    if (chooser === undefined && labelFraction === 1) throw refused(`; add it to the protocols${where}`);
    if (chooser === undefined) {
      const draws = protocol.draws === 1 ? '' : `, draws: ${protocol.draws}`;
      throw refused(
        ` on the same labels, which ${protocol.name} has few of; add { protocol: logreg, labelFraction: ${labelFraction}${draws} } to the protocols${where}`,
      );
    }
    const validated = [...kindsOf(chooser), ...(validates(protocol) ? kindsOf(protocol) : [])];
    const unknown = kindsOf(protocol).find((kind) => !validated.includes(kind));
    if (unknown !== undefined) {
      throw refused(
        `${where}, and ${chooser.name} does not judge the ${unknown} features that ${protocol.name} judges; give ${chooser.name} features: all, or ${protocol.name} those of ${chooser.name}`,
      );
    }
    const seeds = chooser.seeds;
    if (seeds === undefined || protocol.seeds?.every((seed) => seeds.includes(seed))) continue;
    throw refused(
      `${where} at every seed; leave out the seeds of ${chooser.name}, or give ${protocol.name} the same`,
    );
  }
}

/** Refuses seeds that the experiment does not have. A row or a protocol may use only some of the experiment's seeds. */
function refuseOtherSeeds(
  file: string,
  seeds: readonly number[],
  named: readonly { readonly name: string; readonly seeds?: readonly number[] }[],
): void {
  for (const { name, seeds: asked = [] } of named) {
    const other = asked.find((seed) => !seeds.includes(seed));
    if (other === undefined) continue;
    throw new UsageError(
      `${file}: ${name} asks for seed ${other}, expected one of the experiment’s seeds ${seeds.join(', ')}; add it there, or leave it out`,
    );
  }
}

/** Refuses rows with one encoder for each fold in comparisons on the samples set aside, which one encoder judges. */
function refuseFolded(
  file: string,
  rows: readonly ExperimentRow[],
  { reference, against }: ComparisonFamily,
): void {
  const named = [reference, ...against];
  const folded = rows.find(({ name, fold }) => fold === 'all' && named.includes(name));
  if (folded === undefined) return;
  throw new UsageError(
    `${file}: setAside compares ${folded.name}, which is pretrained once a fold (fold: all); what is set aside is judged by one encoder, so leave the row out`,
  );
}

/**
 * @param whole true when every row must have all seeds; otherwise two rows are compared over the seeds that both have
 */
function checkFamily(
  { reference, against, protocol, features }: ComparisonFamily,
  where: string,
  whole: boolean,
  rows: readonly ExperimentRow[],
  protocols: readonly ExperimentProtocol[],
): void {
  const names = rows.map(({ name }) => name);
  const check = (key: string, value: string, known: readonly string[]) => {
    if (known.includes(value)) return;
    const meant = nearest(value, known);
    throw new UsageError(
      `${where}.${key} is "${value}", expected one of ${known.join(', ')}` +
        (meant === undefined ? '' : `; did you mean ${meant}?`),
    );
  };
  check('reference', reference, names);
  for (const other of against) check('against', other, [...names, ...NOT_ROWS]);
  if (against.includes(reference)) {
    throw new UsageError(`${where}.against names ${reference}, which is the reference; leave it out`);
  }
  const fewer = rows.find(
    ({ seeds, name }) => seeds !== undefined && (name === reference || (whole && against.includes(name))),
  );
  if (fewer !== undefined) {
    const who = fewer.name === reference ? `has ${reference} as reference` : `compares ${fewer.name}`;
    throw new UsageError(
      `${where} ${who}, which has seeds of its own${whole ? '; what is set aside is judged by all seeds' : ''}; leave out its seeds, or the row here`,
    );
  }
  const judging = protocols.filter(judgesLabels);
  if (judging.length === 0) {
    throw new UsageError(
      `${where} compares AUCs, and of the protocols (${protocols.map(({ name }) => name).join(', ')}) none has any; add logreg, or leave ${where.slice(where.lastIndexOf(' ') + 1)} out`,
    );
  }
  if (protocol !== undefined) {
    check(
      'protocol',
      protocol,
      judging.map(({ name }) => name),
    );
  }
  // Another kind of protocol in its place would make another comparison than the one that was planned.
  const chosen = judging.find(({ name }) => name === protocol) ?? judging[0]!;
  if (chosen.settings.untrained === false && against.includes('untrained')) {
    throw new UsageError(
      `${where}.against names untrained, which ${chosen.name} leaves out (untrained: false); leave out the one or the other`,
    );
  }
  const judged = kindsOf(chosen);
  if (features !== undefined && features !== 'chosen' && !judged.includes(features)) {
    const fix = judged.length === 1 ? features : 'all';
    throw new UsageError(
      `${where}.features is ${features}, but ${chosen.name} judges ${judged.join(' and ')} features; give the protocol features: ${fix}, or compare ${judged.join(' or ')} ones`,
    );
  }
}
