/**
 * Checks the modalities that an experiment file names. Only the data can tell whether they exist, and they are checked
 * before anything is pretrained.
 */
import { presentAmong } from '../../data/presence.js';
import type { Dataset } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import { labelProtocolNamed, usualImages } from '../../evaluation/protocols/registry.js';
import { askedSets, modalityKey, modalitySets, setNamed } from '../../evaluation/results/modalitySets.js';
import { nearest } from '../../text/nearest.js';
import { type ExperimentProtocol, familyProtocol, judgesLabels } from './protocols.js';
import type { Experiment } from './readExperiment.js';

/** Data that is judged on, with its name when it is not the data of pretraining. */
export interface NamedData {
  readonly dataset: Pick<Dataset, 'modalities' | 'samples'>;
  readonly set?: { readonly name: string; readonly protocols: readonly ExperimentProtocol[] };
}

/**
 * @throws UsageError naming the protocol or comparison whose images the data do not have, or that the protocol does not
 * judge
 */
export function checkImages(
  { name, protocols, compare, setAside }: Pick<Experiment, 'name' | 'protocols' | 'compare' | 'setAside'>,
  own: NamedData,
  others: readonly NamedData[],
): void {
  for (const { dataset, set } of [own, ...others]) {
    for (const protocol of set?.protocols ?? protocols) {
      const where = `${name}: images of ${set === undefined ? '' : `${set.name}, `}${protocol.name}`;
      for (const asked of protocol.settings.images ?? []) {
        if (setNamed(asked, dataset.modalities) === undefined) refuse(where, asked, dataset.modalities);
      }
    }
  }
  for (const [key, family] of Object.entries({ compare, setAside })) {
    if (family?.images === undefined || !protocols.some(judgesLabels)) continue;
    const protocol = familyProtocol({ protocols }, family);
    const where = `${name}: ${key}.images`;
    const judged = judgedImages(protocol, own.dataset);
    if (!judged.includes(family.images))
      refuseUnknown(where, family.images, judged, `which ${protocol.name} judges`);
  }
}

/** The sets of modalities that a protocol judges: those of its settings, else those of `anatomy evaluate`. */
function judgedImages(
  { protocol, settings }: ExperimentProtocol,
  { modalities, samples }: NamedData['dataset'],
): string[] {
  const labelled = samples.filter(({ label }) => label !== undefined);
  const gaps = presentAmong(labelled, modalities) !== undefined;
  const usual = usualImages(labelProtocolNamed(protocol)!, modalities, gaps);
  return askedSets(modalities, settings.images ?? usual, gaps).map(modalityKey);
}

function refuse(where: string, asked: string, modalities: readonly string[]): never {
  const which = modalities.length < 3 ? 'which' : 'or of others of them joined by +, which';
  refuseUnknown(where, asked, modalitySets(modalities, true).map(modalityKey), `${which} the data have`);
}

function refuseUnknown(where: string, asked: string, known: readonly string[], which: string): never {
  const meant = nearest(asked, known);
  throw new UsageError(
    `${where} has "${asked}", expected one of ${known.join(', ')}, ${which}` +
      (meant === undefined ? '' : `; did you mean ${meant}?`),
  );
}
