/** The kinds of features that an encoder has, and the words that ask for them. */
import { UsageError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';

/**
 * The kinds of features, in the order of tables. `pooled`: the last map averaged over its pixels. `head`: the
 * embedding. `maps`: the last three maps, each averaged over its pixels, side by side.
 */
export const ENCODER_FEATURES = ['pooled', 'head', 'maps'] as const;
export type EncoderFeatures = (typeof ENCODER_FEATURES)[number];

/** The kinds by the word that asks for them. The word `both` is older than the third kind and stays without it. */
const ASKED = {
  pooled: ['pooled'],
  head: ['head'],
  maps: ['maps'],
  both: ['pooled', 'head'],
  all: ENCODER_FEATURES,
} as const satisfies Readonly<Record<string, readonly EncoderFeatures[]>>;

/** A word that asks for one kind of features or for several. */
export type FeatureKinds = keyof typeof ASKED;
export const FEATURE_WORDS = Object.keys(ASKED) as [FeatureKinds, ...FeatureKinds[]];

/** The kinds that a word asks for. @throws UsageError for a word that is not known, naming the nearest */
export function kindsAsked(word: FeatureKinds): readonly EncoderFeatures[] {
  if (Object.hasOwn(ASKED, word)) return ASKED[word];
  const meant = nearest(word, FEATURE_WORDS);
  throw new UsageError(
    `--features is ${word}, expected one of ${FEATURE_WORDS.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
  );
}
