/**
 * Checks the modalities that an experiment file names. Only the data can tell whether they exist, and they are checked
 * before anything is pretrained.
 */
import type { Dataset } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import { labelProtocolNamed, usualImages } from '../../evaluation/protocols/registry.js';
import { askedSets, modalityKey, modalitySets } from '../../evaluation/results/modalitySets.js';
import { nearest } from '../../text/nearest.js';
import { type ExperimentProtocol, familyProtocol, judgesLabels } from './protocols.js';
import type { Experiment } from './readExperiment.js';

/** Data that is judged on, with its name when it is not the data of pretraining. */
export interface NamedData {
  readonly dataset: Pick<Dataset, 'modalities'>;
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
    const known = modalitySets(dataset.modalities).map(modalityKey);
    for (const protocol of set?.protocols ?? protocols) {
      const where = `${name}: images of ${set === undefined ? '' : `${set.name}, `}${protocol.name}`;
      for (const asked of protocol.settings.images ?? []) refuseUnknown(where, asked, known);
    }
  }
  for (const [key, family] of Object.entries({ compare, setAside })) {
    if (family?.images === undefined || !protocols.some(judgesLabels)) continue;
    const protocol = familyProtocol({ protocols }, family);
    const where = `${name}: ${key}.images`;
    refuseUnknown(where, family.images, judgedImages(protocol, own.dataset.modalities), protocol.name);
  }
}

/** The sets of modalities that a protocol judges: those of its settings, else those of `anatomy evaluate`. */
function judgedImages({ protocol, settings }: ExperimentProtocol, modalities: readonly string[]): string[] {
  const usual = usualImages(labelProtocolNamed(protocol)!, modalities);
  return askedSets(modalities, settings.images ?? usual).map(modalityKey);
}

function refuseUnknown(where: string, asked: string, known: readonly string[], protocol?: string): void {
  if (known.includes(asked)) return;
  const meant = nearest(asked, known);
  throw new UsageError(
    `${where} has "${asked}", expected one of ${known.join(', ')}, ${protocol === undefined ? 'which the data have' : `which ${protocol} judges`}` +
      (meant === undefined ? '' : `; did you mean ${meant}?`),
  );
}
