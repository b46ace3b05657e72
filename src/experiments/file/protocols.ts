/** Reads the protocols that judge every row. Each is a name, or a name with settings of `anatomy evaluate`. */
import { z } from 'zod';
import type { Tree } from '../../config/index.js';
import { UsageError } from '../../errors.js';
import type { AskedSettings } from '../../evaluation/protocols/definition.js';
import {
  judgedKinds,
  labelProtocolNamed,
  protocolNamed,
  protocols,
  protocolsWith,
} from '../../evaluation/protocols/registry.js';
import { flagName } from '../../evaluation/protocols/settings.js';
import type { EncoderFeatures } from '../../evaluation/results/featureKinds.js';
import { nearest } from '../../text/nearest.js';
import { folderOf } from './folderName.js';

/** A protocol, its settings, and how an experiment uses it. */
export const protocolSchema = z.strictObject({
  ...settingSchemas(),
  protocol: z.enum(protocols.map(({ name }) => name)),
  name: z.string().min(1).optional().describe('Name in the table; default: made of the settings.'),
  draws: z.int().min(1).optional().describe('Number of draws of the labels; default 1.'),
  seeds: z
    .array(z.int().min(0))
    .min(1)
    .optional()
    .describe('Pretrainings that it judges; default: those of all seeds.'),
});

/** The settings of all protocols together, each optional. */
function settingSchemas(): Record<string, z.ZodOptional> {
  const all = protocols.flatMap(({ settings }) => Object.entries(settings));
  return Object.fromEntries(all.map(([key, { schema }]) => [key, schema(z).optional()]));
}

interface ProtocolEntry extends ProtocolSettings {
  readonly protocol: string;
  readonly name?: string;
  readonly draws?: number;
  readonly seeds?: readonly number[];
}

/** The settings that an experiment itself looks at; settings of one protocol alone are further keys. */
interface ProtocolSettings extends AskedSettings {
  readonly images?: readonly string[];
  readonly labelFraction?: number;
}

export interface ExperimentProtocol {
  /** The name of the protocol on the command line. */
  readonly protocol: string;
  /** The name in tables. */
  readonly name: string;
  /** The slug that names its cells. */
  readonly slug: string;
  /** The settings that are not left to the defaults of `anatomy evaluate`. */
  readonly settings: Readonly<ProtocolSettings>;
  readonly draws: number;
  /** The seeds that it judges, where they are not all of the experiment's. */
  readonly seeds?: readonly number[];
}

/** Makes objects of the names in a file's list of protocols. */
export function asEntries(protocols: unknown): unknown {
  if (!Array.isArray(protocols)) return protocols;
  return protocols.map((one) => (typeof one === 'string' ? { protocol: one } : (one as unknown)));
}

/**
 * Reads the protocols of a list and gives each a name.
 * @throws UsageError when a setting is another protocol's, or two protocols would share a name
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
export function flagsOf({ protocol, settings }: ExperimentProtocol): string[] {
  const known = protocolNamed(protocol)!.settings;
  return Object.entries(settings).flatMap(([key, value]) => {
    const flag = flagName(known[key]!);
    // A flag without a word says true, one that begins with --no- false.
    if (typeof value === 'boolean') return value === flag.startsWith('--no-') ? [] : [flag];
    return Array.isArray(value) ? [flag, ...value] : [flag, String(value)];
  });
}

/** Picks the experiment’s seeds that a protocol judges, or that a row is pretrained with. */
export function seedsOf(
  { seeds: own }: { readonly seeds?: readonly number[] },
  seeds: readonly number[],
): number[] {
  return seeds.filter((seed) => own === undefined || own.includes(seed));
}

/** The kinds of features that a protocol judges: those of its settings, else those of `anatomy evaluate`. */
export function kindsOf({
  protocol,
  settings,
}: Pick<ExperimentProtocol, 'protocol' | 'settings'>): readonly EncoderFeatures[] {
  return judgedKinds(labelProtocolNamed(protocol)!, settings);
}

/**
 * The protocol that candidates are chosen by when the judging one does not validate itself. It is the logistic
 * regression that learns from the same labels, so that a choice for few labels does not use all of them.
 */
export function choosingProtocol(
  protocols: readonly ExperimentProtocol[],
  { settings: { labelFraction = 1 }, draws }: ExperimentProtocol,
): ExperimentProtocol | undefined {
  const own = protocols.filter(
    (one) => validates(one) && (one.settings.labelFraction ?? 1) === labelFraction && one.draws === draws,
  );
  return own.find(({ protocol, slug }) => slug === protocol) ?? own[0];
}

/**
 * The protocol by which a family of rows is compared: the one it names, else the first that has classes to tell apart.
 */
export function familyProtocol(
  { protocols }: { readonly protocols: readonly ExperimentProtocol[] },
  { protocol }: { readonly protocol?: string },
): ExperimentProtocol {
  return protocols.find(({ name }) => name === protocol) ?? protocols.find(judgesLabels) ?? protocols[0]!;
}

/** True when the protocol has classes to tell apart, and so an AUC. */
export function judgesLabels({ protocol }: Pick<ExperimentProtocol, 'protocol'>): boolean {
  return protocolNamed(protocol)?.judges === 'labels';
}

/** True when candidates can be chosen by the protocol's inner cross-validation. */
export function validates({ protocol }: Pick<ExperimentProtocol, 'protocol'>): boolean {
  return labelProtocolNamed(protocol)?.validates ?? false;
}

function protocolOf(
  { protocol, name, draws, seeds, ...rest }: ProtocolEntry,
  where: string,
): ExperimentProtocol {
  const settings = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const definition = protocolNamed(protocol)!;
  for (const key of Object.keys(settings)) {
    if (!Object.hasOwn(definition.settings, key)) {
      throw new UsageError(
        `${where}: protocol ${protocol} has no ${key}, which is of ${protocolsWith(key).join(', ')}; leave it out`,
      );
    }
  }
  const presets = (definition.presets ?? []).map((preset) => preset.name);
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

/**
 * The default name of a protocol in tables, such as `linear moco` or `logreg labels 0.1`. Without settings it is the
 * protocol's own name, which also names its cells.
 */
function ownName(protocol: string, { preset, labelFraction }: ProtocolSettings): string {
  return [
    protocol,
    ...(preset === undefined ? [] : [preset]),
    ...(labelFraction === undefined ? [] : [`labels ${labelFraction}`]),
  ].join(' ');
}

/** The protocol in the form in which cells store it and compare it. */
export function storedProtocol({ protocol, settings }: ExperimentProtocol): Tree {
  return { protocol, ...settings };
}
