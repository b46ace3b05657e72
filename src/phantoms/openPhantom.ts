import type { Dataset } from '../data/sample.js';
import { UsageError } from '../errors.js';
import { Random } from '../tensor/random.js';
import { nearest } from '../text/nearest.js';
import { PHANTOM_FAMILIES, type Phantom } from './families.js';
import { PHANTOM_PREFIX, PhantomOptions, parsePhantomName } from './phantomName.js';

/**
 * Opens the phantom of this name. Nothing is drawn yet.
 *
 * @throws UsageError if there is no such phantom or option
 */
export async function openPhantom(name: string): Promise<Phantom> {
  const parsed = parsePhantomName(name);
  const families = Object.keys(PHANTOM_FAMILIES);
  if (!Object.hasOwn(PHANTOM_FAMILIES, parsed.family)) {
    const meant = nearest(parsed.family, families);
    throw new UsageError(
      `There is no phantom "${parsed.family}"; there is ${families.join(', ')}.` +
        (meant === undefined ? '' : ` Did you mean "${PHANTOM_PREFIX}${meant}"?`),
    );
  }
  const options = new PhantomOptions(parsed);
  const make = await PHANTOM_FAMILIES[parsed.family]!(options);
  const missing = options.number('missing') ?? 0;
  const seed = options.integer('seed') ?? 0;
  options.refuseUnknown();
  if (!(missing >= 0 && missing < 1)) {
    throw new UsageError(
      `${name}: missing is ${missing}, expected the share of images left out, from 0 to below 1`,
    );
  }
  const phantom = make();
  const { version } = phantom;
  const dataset = missing === 0 ? phantom.dataset : withoutSome(phantom.dataset, missing, seed);
  return { ...phantom, dataset: { ...dataset, simulated: dataset.modalities, generatorVersion: version } };
}

/**
 * Leaves out each image with this probability, but one of each sample at least. The draw of an image depends on seed,
 * sample and modality alone.
 */
function withoutSome(dataset: Dataset, missing: number, seed: number): Dataset {
  const samples = dataset.samples.map((sample) => {
    const draws = Object.keys(sample.images).map((modality) => ({
      modality,
      drawn: new Random(seed, sample.id, 'missing', modality).uniform(),
    }));
    const most = Math.max(...draws.map(({ drawn }) => drawn));
    const kept = draws.filter(({ drawn }) => drawn >= missing || drawn === most);
    const images = kept.map(({ modality }) => [modality, sample.images[modality]!] as const);
    return { ...sample, images: Object.fromEntries(images) };
  });
  return { ...dataset, samples };
}
