/** Measures the pairs without any network: the agreement of pixel patches and the distances of thumbnails. */
import type { Loader } from '../../../data/loading/loader.js';
import { tidy } from '../../../tensor/index.js';
import type { Representations } from '../../features/representations.js';
import { AGREEMENT_GRIDS, addDistances, type Batch } from './encoderMeasures.js';
import type { PairTally } from './pairTally.js';
import { addAgreement, rankImages } from './patchAgreement.js';
import { pixelPatches, pixelSimilarities } from './pixelPatches.js';
import { patchSpans } from './zones.js';

export interface PixelMeasuring {
  readonly loader: Loader;
  readonly modalities: readonly [string, string];
  /** The thumbnails of the round's pairs, in the order of its batches. */
  readonly thumbnails: Representations;
  readonly tally: PairTally;
}

/** Measures the images themselves, before any network, at their cached size, and adds the values to the tally. */
export async function measurePixels(
  batches: readonly Batch[],
  { loader, modalities, thumbnails, tally }: PixelMeasuring,
): Promise<void> {
  const source = 'pixels';
  for (const batch of batches) {
    await loader.prepare(batch.positions);
    for (const features of pixelPatches) {
      for (const grid of AGREEMENT_GRIDS) {
        const [a, b] = tidy(() => {
          const { images } = loader.load(batch.positions);
          return modalities.map((modality) =>
            rankImages(
              pixelSimilarities(images[modality]!, grid, features).toArray() as Float32Array,
              grid ** 2,
            ),
          );
        });
        const spans = patchSpans(loader.size, grid);
        addAgreement(tally, { source, features, grid, spans }, batch, a!, b!);
      }
    }
    // The measures are synchronous. This lets the terminal have its turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [a, b] = modalities.map((modality) => thumbnails.get(`pixels/${modality}`)!);
  addDistances({ source, modalities, tally }, 'thumbnail', batches, a!, b!);
}
