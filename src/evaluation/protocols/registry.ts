/** Lists every protocol, the primary one first. A new protocol is its file and its line here. */
import { UsageError } from '../../errors.js';
import { type EncoderFeatures, kindsAsked } from '../results/featureKinds.js';
import { modalityKey, modalitySets } from '../results/modalitySets.js';
import type { AskedSettings, LabelProtocol, ProtocolDefinition } from './definition.js';
import { finetune } from './finetune.js';
import { knn } from './knn.js';
import { linear } from './linear.js';
import { logreg } from './logreg.js';
import { pairs } from './pairs.js';
import { flagName } from './settings.js';

export const protocols: readonly ProtocolDefinition[] = [logreg, linear, finetune, knn, pairs];

export const labelProtocols: readonly LabelProtocol[] = protocols.filter((one) => one.judges === 'labels');

/** Finds a protocol by its name; undefined when there is none. */
export function protocolNamed(name: string): ProtocolDefinition | undefined {
  return protocols.find((protocol) => protocol.name === name);
}

/** Finds a protocol that judges labels by its name; undefined when there is none. */
export function labelProtocolNamed(name: string): LabelProtocol | undefined {
  return labelProtocols.find((protocol) => protocol.name === name);
}

/** The names of the protocols that have a setting, in the order of the registry. */
export function protocolsWith(setting: string): string[] {
  return protocols.filter(({ settings }) => Object.hasOwn(settings, setting)).map(({ name }) => name);
}

/** @throws UsageError for a setting that belongs to other protocols */
export function refuseForeign({ name, settings }: ProtocolDefinition, asked: AskedSettings): void {
  for (const { settings: others } of protocols) {
    for (const [setting, known] of Object.entries(others)) {
      if (asked[setting] === undefined || Object.hasOwn(settings, setting)) continue;
      throw new UsageError(
        `${flagName(known)} is ${String(asked[setting])}, but evaluate ${name} has no such setting, only ${protocolsWith(setting).join(' and ')}; leave it out`,
      );
    }
  }
}

/**
 * The kinds of features that are judged: those asked for, else the protocol's.
 * @throws UsageError for a word that is not known
 */
export function judgedKinds(protocol: LabelProtocol, settings: AskedSettings): readonly EncoderFeatures[] {
  return kindsAsked(settings.features ?? protocol.features(settings));
}

/**
 * The sets of modalities, such as `a+b`, that are judged when none are asked for.
 * @param gaps whether samples lack images, so that only `any` judges them all
 */
export function usualImages(
  { images }: LabelProtocol,
  modalities: readonly string[],
  gaps = false,
): string[] {
  const sets = modalitySets(modalities, gaps).map(modalityKey);
  return images === 'together' ? sets.slice(-1) : sets;
}
