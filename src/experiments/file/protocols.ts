/** The protocols that judge every row: names, or a name with settings of `anatomy evaluate`. */
import { z } from 'zod';
import type { Tree } from '../../config/index.js';
import { UsageError } from '../../errors.js';
import { FINETUNE_PRESETS, LINEAR_PRESETS } from '../../evaluation/trained/presets.js';
import { nearest } from '../../text/nearest.js';
import { folderOf } from './folderName.js';

export const PROTOCOLS = ['logreg', 'linear', 'knn', 'finetune', 'pairs'] as const;
export type ProtocolName = (typeof PROTOCOLS)[number];

export const protocolSchema = z.strictObject({
  protocol: z.enum(PROTOCOLS),
  name: z.string().min(1).optional().describe('In the table; default: made of the settings.'),
  preset: z.string().min(1).optional().describe('Of linear and finetune.'),
  epochs: z.int().min(1).optional(),
  learningRate: z
    .number()
    .positive()
    .optional()
    .describe('Of linear and finetune, in place of the preset’s.'),
  batchNorm: z.enum(['train', 'frozen']).optional().describe('Of finetune.'),
  untrained: z.boolean().optional().describe('Also the same network with random weights; default true.'),
  classWeights: z.enum(['none', 'balanced']).optional().describe('Of linear and finetune.'),
  features: z.enum(['pooled', 'head', 'both']).optional(),
  images: z.array(z.string().min(1)).min(1).optional().describe('Modality sets, such as [a, a+b].'),
  k: z.int().min(1).optional().describe('Of knn.'),
  temperature: z.number().positive().optional().describe('Of knn.'),
  labelFraction: z.number().positive().max(1).optional().describe('Of the training labels.'),
  draws: z.int().min(1).optional().describe('So many draws of the labels; default 1.'),
  pairs: z.int().min(2).optional().describe('Of pairs: so many at most.'),
  seeds: z
    .array(z.int().min(0))
    .min(1)
    .optional()
    .describe('Pretrainings that it judges; default: those of all seeds.'),
});

type ProtocolEntry = z.infer<typeof protocolSchema>;
type ProtocolSettings = Omit<ProtocolEntry, 'protocol' | 'name' | 'draws' | 'seeds'>;

export interface ExperimentProtocol {
  readonly protocol: ProtocolName;
  /** In tables. */
  readonly name: string;
  /** Names its cells. */
  readonly slug: string;
  /** What is not left to the defaults of `anatomy evaluate`. */
  readonly settings: Readonly<ProtocolSettings>;
  readonly draws: number;
  /** The only ones that it judges. */
  readonly seeds?: readonly number[];
}

/** Protocols that know a setting; the others, those that do not stand here, belong to all but `pairs`. */
const OF: Partial<Record<keyof ProtocolSettings, readonly ProtocolName[]>> = {
  preset: ['linear', 'finetune'],
  epochs: ['linear', 'finetune'],
  learningRate: ['linear', 'finetune'],
  batchNorm: ['finetune'],
  classWeights: ['linear', 'finetune'],
  k: ['knn'],
  temperature: ['knn'],
  pairs: ['pairs'],
};

/** Of `anatomy evaluate`, so that a misspelt one is not found hours later. */
const PRESETS: Partial<Record<ProtocolName, readonly string[]>> = {
  linear: LINEAR_PRESETS.map(({ name }) => name),
  finetune: FINETUNE_PRESETS.map(({ name }) => name),
};

const FLAGS: Readonly<Record<keyof ProtocolSettings, string>> = {
  preset: '--preset',
  epochs: '--epochs',
  learningRate: '--learning-rate',
  batchNorm: '--batch-norm',
  untrained: '--no-untrained',
  classWeights: '--class-weights',
  features: '--features',
  images: '--images',
  k: '--k',
  temperature: '--temperature',
  labelFraction: '--label-fraction',
  pairs: '--pairs',
};

/** A list of protocols as the file has it, names made objects of. */
export function asEntries(protocols: unknown): unknown {
  if (!Array.isArray(protocols)) return protocols;
  return protocols.map((one) => (typeof one === 'string' ? { protocol: one } : (one as unknown)));
}

/**
 * The protocols of a list, each named.
 * @throws UsageError when a setting is another protocol's, or two would share a name
 */
export function experimentProtocols(entries: readonly ProtocolEntry[], where: string): ExperimentProtocol[] {
  const protocols = entries.map((entry) => protocolOf(entry, where));
  for (const [i, { name, slug }] of protocols.entries()) {
    const twin = protocols.slice(0, i).find((other) => other.slug === slug);
    if (twin === undefined) continue;
    throw new UsageError(
      `${where}: protocols ${twin.name} and ${name} would share the name ${slug}; give one of them another name`,
    );
  }
  return protocols;
}

/** The flags of `anatomy evaluate` for a protocol's settings. */
export function flagsOf({ settings }: ExperimentProtocol): string[] {
  return Object.entries(settings).flatMap(([key, value]) => {
    const flag = FLAGS[key as keyof ProtocolSettings];
    if (typeof value === 'boolean') return value ? [] : [flag];
    return Array.isArray(value) ? [flag, ...value] : [flag, String(value)];
  });
}

/** Of the experiment’s seeds those that a protocol judges, or a row is pretrained with. */
export function seedsOf(
  { seeds: own }: { readonly seeds?: readonly number[] },
  seeds: readonly number[],
): number[] {
  return seeds.filter((seed) => own === undefined || own.includes(seed));
}

/** Kinds of features that it judges, where nothing is said those of `anatomy evaluate`. */
export function judgedFeatures({
  protocol,
  settings: { features, preset },
}: Pick<ExperimentProtocol, 'protocol' | 'settings'>): 'pooled' | 'head' | 'both' {
  const headOnly = protocol === 'finetune' && (preset === undefined || preset === 'hu');
  return features ?? (protocol !== 'finetune' ? 'both' : headOnly ? 'head' : 'pooled');
}

/**
 * What candidates are chosen by where a protocol does not validate itself: the logistic regression that learns from the same labels, so
 * that few labels are not chosen for by all of them.
 */
export function choosingProtocol(
  protocols: readonly ExperimentProtocol[],
  { settings: { labelFraction = 1 }, draws }: ExperimentProtocol,
): ExperimentProtocol | undefined {
  const own = protocols.filter(
    (one) =>
      one.protocol === 'logreg' && (one.settings.labelFraction ?? 1) === labelFraction && one.draws === draws,
  );
  return own.find(({ slug }) => slug === 'logreg') ?? own[0];
}

/** The protocol by which a family of rows is compared: the one it names, else the first that has classes to tell apart. */
export function familyProtocol(
  { protocols }: { readonly protocols: readonly ExperimentProtocol[] },
  { protocol }: { readonly protocol?: string },
): ExperimentProtocol {
  return protocols.find(({ name }) => name === protocol) ?? protocols.find(judgesLabels) ?? protocols[0]!;
}

/** Whether it has classes to tell apart, and so an AUC. */
export function judgesLabels({ protocol }: Pick<ExperimentProtocol, 'protocol'>): boolean {
  return protocol !== 'pairs';
}

function protocolOf(
  { protocol, name, draws, seeds, ...rest }: ProtocolEntry,
  where: string,
): ExperimentProtocol {
  const settings = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  for (const key of Object.keys(settings) as (keyof ProtocolSettings)[]) {
    const known = OF[key] ?? PROTOCOLS.filter((one) => one !== 'pairs');
    if (!known.includes(protocol)) {
      throw new UsageError(
        `${where}: protocol ${protocol} has no ${key}, which is of ${known.join(', ')}; leave it out`,
      );
    }
  }
  const presets = PRESETS[protocol] ?? [];
  if (rest.preset !== undefined && !presets.includes(rest.preset)) {
    const meant = nearest(rest.preset, presets);
    throw new UsageError(
      `${where}: protocol ${protocol} has no preset "${rest.preset}", expected one of ${presets.join(', ')}` +
        (meant === undefined ? '' : `; did you mean ${meant}?`),
    );
  }
  if (draws !== undefined && rest.labelFraction === undefined) {
    throw new UsageError(
      `${where}: protocol ${protocol} has draws ${draws} without labelFraction; what is drawn are labels, so name their share`,
    );
  }
  const own = name ?? ownName(protocol, settings);
  return { protocol, name: own, slug: folderOf(own, where), settings, draws: draws ?? 1, seeds };
}

/** `linear moco`, `logreg labels 0.1`; of a protocol without settings its name, which is what names its cells. */
function ownName(protocol: ProtocolName, { preset, labelFraction }: ProtocolSettings): string {
  return [
    protocol,
    ...(preset === undefined ? [] : [preset]),
    ...(labelFraction === undefined ? [] : [`labels ${labelFraction}`]),
  ].join(' ');
}

/** As cells keep them, to be compared. */
export function storedProtocol({ protocol, settings }: ExperimentProtocol): Tree {
  return { protocol, ...settings };
}
