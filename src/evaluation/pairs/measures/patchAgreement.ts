/** Adds the agreement of patches (agreement.ts) to the tally, over the whole image and by zone. */
import type { PairSource, Zone } from '../../results/pairsResult.js';
import { agreementOf, meanOver, rankRows } from './agreement.js';
import type { PairTally } from './pairTally.js';
import { type LesionMask, type Span, zonesOf } from './zones.js';

/** The ranks of the similarity rows of several images, one array for each image; see `rankRows`. */
export type Ranked = readonly Float64Array[];

/** Ranks the similarity rows of each image. @param similarities [B, P, P] of B images, row-major */
export function rankImages(similarities: Float32Array, patches: number): Ranked {
  const each = patches ** 2;
  return Array.from({ length: similarities.length / each }, (_, image) =>
    rankRows(similarities.subarray(image * each, (image + 1) * each), patches),
  );
}

/** One grid on one set of features, for which the agreement is measured. */
export interface AgreementOf {
  readonly source: PairSource;
  readonly features: string;
  readonly grid: number;
  /** The patches' spans, the same across and down. */
  readonly spans: readonly Span[];
}

/** The pairs of a batch. */
export interface BatchPairs {
  /** The number of each pair in the result. */
  readonly pairs: readonly number[];
  /** The stranger of each pair within the batch, −1 for none; see `strangersOf`. */
  readonly strangers: Int32Array;
  readonly masks: readonly (LesionMask | undefined)[];
}

/**
 * Adds the agreement of each pair to the tally, over all anchors and, where the lesion is known, by zone. Chance is the
 * agreement of A with its stranger's B at the same anchors.
 */
export function addAgreement(
  tally: PairTally,
  { source, features, grid, spans }: AgreementOf,
  { pairs, strangers, masks }: BatchPairs,
  a: Ranked,
  b: Ranked,
): void {
  const patches = grid ** 2;
  pairs.forEach((pair, i) => {
    const mate = agreementOf(a[i]!, b[i]!, patches);
    const stranger = strangers[i]! < 0 ? undefined : agreementOf(a[i]!, b[strangers[i]!]!, patches);
    const add = (zone: Zone, chosen: (anchor: number) => boolean): void => {
      const chance = stranger === undefined ? Number.NaN : meanOver(stranger, chosen);
      const name = { claim: 'agreement', source, features, grid, zone } as const;
      tally.add(name, pair, meanOver(mate, chosen), chance);
    };
    add('all', () => true);
    const mask = masks[i];
    const zones = mask === undefined ? undefined : zonesOf(mask, spans);
    if (zones === undefined) return;
    for (const zone of ['inside', 'around', 'rest'] as const) add(zone, (anchor) => zones[anchor] === zone);
  });
}
