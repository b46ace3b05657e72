import { UsageError } from '../errors.js';
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
  options.refuseUnknown();
  const phantom = make();
  const { dataset, version } = phantom;
  return { ...phantom, dataset: { ...dataset, simulated: dataset.modalities, generatorVersion: version } };
}
