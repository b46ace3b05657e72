/** The page of `anatomy predict`: the samples of which the model is least and most certain, and the unusual ones. */
import type { Dataset, Sample } from '../../data/sample.js';
import { intervalName } from '../../evaluation/results/fewSubjects.js';
import { fixed, interval, numbered } from '../../text/numbers.js';
import { type Case, casePage } from './casePage.js';

/** What the page shows of a prediction. */
export interface ShownPrediction {
  readonly sample: Sample;
  readonly probabilities?: readonly number[];
  readonly called?: string;
  /** The share of held-out training samples that are nearer, 0 … 1. */
  readonly distance?: number;
  readonly unusual: boolean;
}

export interface PredictionPage {
  readonly dataset: Dataset;
  readonly samples: readonly ShownPrediction[];
  readonly classes: readonly string[];
  /** The threshold of two classes. */
  readonly threshold?: number;
  readonly auc?: {
    readonly value: number;
    readonly low: number;
    readonly high: number;
    /** What is too few for an interval of 95 %. */
    readonly few?: string;
  };
  readonly use: string;
  readonly withImages: boolean;
}

/** The number of cases of each section. */
const SHOWN = 12;

type Answered = ShownPrediction & Required<Pick<ShownPrediction, 'probabilities' | 'called'>>;

export async function predictionPage(content: PredictionPage): Promise<string> {
  const { dataset, samples, classes, threshold, auc, use, withImages } = content;
  const answered = samples.filter((one): one is Answered => one.probabilities !== undefined);
  const byCertainty = [...answered].sort((one, other) => margin(one, content) - margin(other, content));
  const unusual = answered.filter((one) => one.unusual).sort((one, other) => other.distance! - one.distance!);
  const caseOf = (one: Answered): Case => ({ sample: one.sample, dataset, facts: factsOf(one, classes) });
  const calls = classes
    .map((name) => `${name} ${answered.filter(({ called }) => called === name).length}`)
    .join(', ');
  const silent = samples.length - answered.length;
  return casePage({
    title: `Predictions: ${dataset.name}`,
    lead: [
      `${numbered(answered.length, 'sample')}: ${calls}.`,
      ...(threshold === undefined ? [] : [`A sample is called ${classes[1]} above ${fixed(threshold)}.`]),
      ...(auc === undefined
        ? []
        : [
            `By the labels of the data, AUC ${fixed(auc.value)} (${intervalName(auc.few)} ${interval(auc.low, auc.high)}).`,
          ]),
      ...(silent === 0 ? [] : [`${numbered(silent, 'sample')} lack an image that the model needs.`]),
    ].join(' '),
    banner: `For ${use}.`,
    withImages,
    sections: [
      {
        title: 'Least certain',
        explanation: 'The probability is nearest to where the call would change. Look at these first.',
        cases: byCertainty.slice(0, SHOWN).map(caseOf),
      },
      {
        title: 'Most certain',
        explanation: 'The probability is farthest from there. An error here is a surprise.',
        cases: byCertainty.slice(-SHOWN).reverse().map(caseOf),
      },
      {
        title: 'Unusual',
        explanation: `Farther from the training samples than 99 % of held-out ones: ${unusual.length} of ${answered.length}, where 1 % would be expected. The model may not know such images.`,
        cases: unusual.slice(0, SHOWN).map(caseOf),
      },
    ],
  });
}

/** How far the probability is from where the call changes: of the logit for two classes, else to the second class. */
function margin(
  { probabilities }: Answered,
  { threshold = 0.5, classes }: Pick<PredictionPage, 'threshold' | 'classes'>,
): number {
  if (classes.length === 2) return Math.abs(logit(probabilities[1]!) - logit(threshold));
  const [first, second] = [...probabilities].sort((a, b) => b - a);
  return first! - second!;
}

function logit(p: number): number {
  return Math.log(Math.max(Number.MIN_VALUE, p)) - Math.log(Math.max(Number.MIN_VALUE, 1 - p));
}

function factsOf(
  { sample, probabilities, called, distance, unusual }: Answered,
  classes: readonly string[],
): string[] {
  const shares = classes.map((name, c) => `p(${name}) ${fixed(probabilities[c]!)}`).join(', ');
  return [
    `called ${called}`,
    shares,
    ...(sample.label === undefined ? [] : [`label: ${sample.label}`]),
    ...(unusual ? [`unusual: farther than ${Math.floor(100 * distance!)} % of held-out samples`] : []),
  ];
}
