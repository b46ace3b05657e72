/** What a measurement on pairs asks. Another one never takes the place of a stored result in silence. */
import { dataFacts, differing, refuseWhere } from '../results/otherQuestion.js';
import { type PairsResult, parsePairs } from '../results/pairsResult.js';

/** The parts of a result on pairs that are known before the work. */
export interface PairsQuestion {
  readonly data: PairsResult['data'];
  readonly seed: number;
  readonly run: Pick<PairsResult['run'], 'precision'>;
  readonly bootstrap: PairsResult['bootstrap'];
}

/** Refuses to measure where the result would take the place of another measurement. @param file where the result will be stored */
export function refuseOtherPairs(file: string, question: PairsQuestion): void {
  refuseWhere(file, parsePairs, (stored) => {
    const facts = (one: PairsResult | PairsQuestion) => ({
      ...dataFacts(one.data, one.bootstrap),
      modalities: one.data.modalities.join(' and '),
      pairs: one.data.pairs,
      'pairs with a known lesion': one.data.withLesion,
      'which pairs': one.data.chosen,
      precision: one.run.precision,
    });
    return [
      ...differing(facts(stored), facts(question)),
      ...differing({ seed: stored.settings.seed }, { seed: question.seed }),
    ];
  });
}
