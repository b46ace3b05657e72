/** The page of `anatomy similar`: each query with the cases that are nearest to it. */
import type { Dataset, Sample } from '../../data/sample.js';
import { imagesName } from '../../evaluation/results/names.js';
import { fixed } from '../../text/numbers.js';
import { type Case, casePage } from './casePage.js';

export interface SimilarPage {
  readonly dataset: Dataset;
  readonly features: string;
  readonly images: string;
  readonly queryImages: string;
  readonly found: readonly {
    readonly query: Sample;
    readonly of: Dataset;
    readonly cases: readonly { readonly sample: Sample; readonly similarity: number }[];
  }[];
  readonly withImages: boolean;
}

export async function similarPage(content: SimilarPage): Promise<string> {
  const { dataset, features, images, queryImages, found, withImages } = content;
  const compared =
    images === queryImages
      ? `Compared by ${imagesName(images)}`
      : `${imagesName(queryImages)} of the query is compared with ${imagesName(images)} of the cases`;
  return casePage({
    title: `Similar cases: ${dataset.name}`,
    lead: `${compared}, by the cosine of ${features} features.`,
    banner: 'For research only: similar features need not mean the same disease.',
    withImages,
    sections: found.map(({ query, of, cases }) => ({
      title: query.id,
      explanation: 'The query first, then the nearest cases.',
      cases: [
        { sample: query, dataset: of, facts: ['query', ...labelOf(query)] },
        ...cases.map(
          ({ sample, similarity }, rank): Case => ({
            sample,
            dataset,
            facts: [`${rank + 1}: cosine ${fixed(similarity)}`, ...labelOf(sample)],
          }),
        ),
      ],
    })),
  });
}

function labelOf({ label }: Sample): string[] {
  return label === undefined ? [] : [`label: ${label}`];
}
