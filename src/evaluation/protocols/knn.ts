/** The protocol `knn` lets the k nearest neighbours by cosine similarity vote, weighted by it. */
import { UsageError } from '../../errors.js';
import { type AskedSettings, defineLabelProtocol } from './definition.js';
import { labelSettings } from './settings.js';

/** The number of neighbours that vote by default. */
const NEIGHBOURS = 20;
const TEMPERATURE = 0.07;

export interface KnnSettings {
  readonly k?: number;
  readonly temperature?: number;
}

type Asked = AskedSettings & KnnSettings;

export const knn = defineLabelProtocol({
  name: 'knn',
  summary: 'k nearest neighbours by cosine, votes weighted by similarity.',
  settings: {
    ...labelSettings({ features: 'both', images: 'each alone and all together' }),
    k: {
      schema: (z) => z.int().min(1).describe('Neighbours that vote.'),
      flag: '--k <n>',
      help: 'neighbours that vote',
      number: { least: 1 },
      byDefault: NEIGHBOURS,
    },
    temperature: {
      schema: (z) => z.number().positive().describe('Temperature of the votes.'),
      flag: '--temperature <t>',
      help: 'of the votes',
      number: 'any',
      byDefault: TEMPERATURE,
    },
  },
  features: () => 'both',
  images: 'each',
  misfit: ({ k = NEIGHBOURS }: Asked, fewest) =>
    Number.isInteger(k) && k >= 1 && k <= fewest
      ? undefined
      : { setting: 'k', value: k, expected: `1 to ${fewest}` },
  probe: async ({ k = NEIGHBOURS, temperature = TEMPERATURE }: Asked) => {
    if (!(temperature > 0)) throw new UsageError(`--temperature is ${temperature}, expected more than 0`);
    return {
      judge: async (rows, sources) => {
        const { crossValidateEncoders } = await import('../crossValidate.js');
        return {
          outcomes: await crossValidateEncoders(rows, () => ({ kind: 'knn', k, temperature }), sources),
          settings: { k, temperature, similarity: 'cosine' },
        };
      },
    };
  },
});
