/** Sentences on a measurement of pairs: whether partners are near, and whether their patches agree, beyond chance. */
import { intervalName, tooFew } from '../../evaluation/results/fewSubjects.js';
import { featuresName, imagesName } from '../../evaluation/results/names.js';
import type { PairMeasure, PairSource, PairsResult } from '../../evaluation/results/pairsResult.js';
import type { Verdict } from '../../evaluation/results/verdict.js';
import { brief, fixed, interval, numbered, signed, signedInterval } from '../../text/numbers.js';
import { SHOWN_MAP } from './mechanism.js';

/**
 * A sentence each on the claims of Figs. 4 and 5, where they were measured.
 *
 * @param name of the encoder, where the page is of several
 */
export function pairVerdicts(result: PairsResult, name?: string): Verdict[] {
  const { data, exposure, measures } = result;
  const [a, b] = data.modalities.map(imagesName);
  const which = [
    `${numbered(data.pairs, 'pair')} of ${numbered(data.subjects, 'subject')}`,
    ...(data.among === undefined ? [] : [`${a} and ${b}`]),
    ...(data.chosen === 'set-aside' ? ['set aside'] : []),
    exposure.kind,
  ].join(', ');
  const distance = (source: PairSource) =>
    measures.find((one) => one.source === source && one.claim === 'distance' && one.features === 'head');
  // The finest grid is that nearest to the figure.
  const agreement = (source: PairSource) =>
    measures
      .filter((one) => one.source === source && one.claim === 'agreement')
      .filter(({ features, zone = 'all' }) => features === `map${SHOWN_MAP}` && zone === 'all')
      .sort((one, other) => other.grid! - one.grid!)[0];
  const told = (
    of: (source: PairSource) => PairMeasure | undefined,
    about: (run: PairMeasure) => Verdict,
  ): Verdict[] => {
    const run = of('run');
    if (run === undefined || run.value === null) return [];
    const { before, strong, after } = about(run);
    const found = beyondChance(run, of('untrained'), result);
    return [
      {
        before: `${name === undefined ? 'On' : `${name}, on`} ${which}: ${before}`,
        strong,
        after: `${after}: ${found}.`,
      },
    ];
  };
  return [
    ...told(distance, (run) => ({
      before: 'partners are ',
      strong: ['farther apart than', 'not shown to be nearer than', 'nearer than'][sideOf(run)]!,
      after: ` images of different subjects, by 1 − cosine of the ${featuresName(run.features)}`,
    })),
    ...told(agreement, (run) => ({
      before: 'the patches of partners ',
      strong: ['agree worse than', 'are not shown to agree better than', 'agree better than'][sideOf(run)]!,
      after: ` those of different subjects, on ${featuresName(run.features)} in ${run.grid}×${run.grid} patches`,
    })),
  ];
}

/** Where a measure stands beside chance: 0 on the worse side, 2 on the better one, 1 where that is not shown. */
function sideOf({ againstChance: { kind, low, high }, subjects }: PairMeasure): 0 | 1 | 2 {
  if (low === null || high === null || tooFew({ subjects }) !== undefined) return 1;
  // A ratio is of a distance, of which less is better.
  const [better, worse] = kind === 'ratio' ? [high < 1, low > 1] : [low > 0, high < 0];
  return better ? 2 : worse ? 0 : 1;
}

/** Writes the values, and how far each is from chance: values alone are high for a collapsed encoder as well. */
function beyondChance(
  { value, chance, subjects, againstChance: run }: PairMeasure,
  untrained: PairMeasure | undefined,
  { bootstrap }: PairsResult,
): string {
  const isRatio = run.kind === 'ratio';
  const contrast = ({ value: found }: PairMeasure['againstChance']) =>
    isRatio ? `${fixed(found)} times` : signed(found);
  const between = intervalName(tooFew({ subjects }), Math.round(100 * bootstrap.confidence));
  const ends = (isRatio ? interval : signedInterval)(run.low, run.high);
  // Distances of collapsed embeddings are tiny.
  const number = (one: number | null) => (isRatio && one !== null ? brief(one) : fixed(one));
  const own = `${number(value)} against ${number(chance.value)}, ${isRatio ? '' : 'difference '}${contrast(run)}, ${between} ${ends}`;
  return untrained === undefined
    ? own
    : `${own}; ${contrast(untrained.againstChance)} with the untrained encoder`;
}
