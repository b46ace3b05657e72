/** The protocol `pairs` measures the paper's claims on pairs without labels; see `evaluatePairs`. */
import type { PairsProtocol } from './definition.js';

export const pairs: PairsProtocol = {
  name: 'pairs',
  judges: 'pairs',
  summary:
    'The paper’s claims on pairs, without labels: both losses, distance of mates, retrieval, agreement of patch similarities.',
  settings: {
    pair: {
      schema: (z) => z.array(z.string().min(1)).length(2).describe('Two modalities, such as [flair, t1].'),
      flag: '--pair <modalities...>',
      help: 'two modalities to measure, such as flair t1 (default: the first two of the data)',
    },
    pairs: {
      schema: (z) => z.int().min(2).describe('Number of pairs to measure at most.'),
      flag: '--pairs <n>',
      help: 'pairs to measure at most, drawn by the seed (default: all)',
      number: { least: 2 },
    },
  },
  help: {
    data: 'pairs to measure (default: the data of the run)',
    dataConfig:
      'YAML whose settings under data say what to measure and how it is read, in place of those of the run',
    splits: 'what this file of anatomy data split sets aside is not touched',
    setAside: 'measure what anatomy data split --set-aside kept apart, and nothing else',
    seed: 'seed of batches, strangers, views, projections and bootstrap',
    out: 'where the result goes (default: evaluation/ in the run)',
    examples: [
      'anatomy evaluate pairs --run runs/first --data pairs.csv --masks masks',
      'anatomy evaluate pairs --run runs/phantom --pairs 200 --json > pairs.json',
    ],
    seeAlso: 'docs/claims.md, anatomy report',
  },
};
