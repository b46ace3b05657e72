/** The figures of a run's `metrics.jsonl`, with a sentence on how to read each. */
import type { Config } from '../../config/index.js';
import type { JsonLine } from '../../log/jsonLines.js';
import { brief } from '../../text/numbers.js';
import type { Figure } from '../figures/figure.js';
import { type LineChart, lineChart, type Reference } from '../figures/lineChart.js';
import { type Series, seriesBelow, seriesOf } from '../figures/series.js';

export interface CurveContext {
  readonly method: Config['method'];
  /** The factor of each term in the objective, such as α of Eq. 12. */
  readonly weights: Readonly<Record<string, number>>;
  /** The standard deviation below which the embeddings count as collapsed. */
  readonly collapse: number;
  /** The largest number of pairs that the monitors look at. */
  readonly pairs: number;
}

/** Draws all figures that the run has values for. */
export function curves(lines: readonly JsonLine[], context: CurveContext): Figure[] {
  return [
    ...losses(lines, context),
    gradientRatio(lines),
    retrieval(lines, context),
    knnAuc(lines),
    deviation(lines, context),
    alignment(lines),
    uniformity(lines),
    learningRate(lines),
  ].filter((figure) => figure !== undefined);
}

interface TermWords {
  readonly title: string;
  readonly unit: string;
  readonly reading: string;
  readonly chance: string;
}

const termWords: Readonly<Record<string, TermWords>> = {
  instance: {
    title: 'Instance discrimination',
    unit: 'loss, nats',
    reading: 'How hard it is to tell an image’s own row of the memory bank from all others; lower is better.',
    chance: 'guessing',
  },
  contrast: {
    title: 'Contrast between views',
    unit: 'loss, nats',
    reading:
      'How hard it is to tell an image’s other view or its partner from the other candidates; lower is better.',
    chance: 'guessing',
  },
  key: {
    title: 'Contrast with remembered keys',
    unit: 'loss, nats',
    reading:
      'How hard it is to tell a partner’s key from those in the queue. It may rise at first, while true keys take the place of random ones.',
    chance: 'guessing',
  },
  dense: {
    title: 'Dense contrast',
    unit: 'loss, nats',
    reading:
      'How hard it is to tell the partner’s corresponding patch from the remembered ones. It may rise at first, as the queue fills.',
    chance: 'guessing',
  },
  intra: {
    title: 'Within each modality',
    unit: 'Barlow Twins’ loss',
    reading:
      'How far equal components of two views of an image are from going together, and different ones from being unrelated; lower is better. It enters the objective times ⅔, over the number of components.',
    chance: 'strangers',
  },
  common: {
    title: 'Common components',
    unit: 'Barlow Twins’ loss',
    reading:
      'How far the common components of the two modalities of a pair are from going together; lower is better. It enters the objective times ⅙, over the number of components.',
    chance: 'strangers',
  },
  unique: {
    title: 'Unique components',
    unit: 'squared correlations',
    reading:
      'How much the unique components of the two modalities of a pair tell of each other. Images of different pairs are at the dashed line by chance, so there is little below it. It enters the objective times ⅙, over the number of components.',
    chance: 'strangers',
  },
  classification: {
    title: 'Classification',
    unit: 'cross-entropy, nats',
    reading: 'How far the classifier is from the labels it is trained on; lower is better.',
    chance: 'guessing',
  },
};

type AnatomySettings = Extract<Config['method'], { name: 'anatomy' }>;

/** Says what L_C measures, which depends on how the patches are compared. */
function relationWords({
  relation,
  distance,
  consistencyShift = 0,
}: AnatomySettings): Pick<TermWords, 'unit' | 'reading'> {
  const difference = distance === 'mse' ? 'squared difference' : 'Frobenius distance';
  switch (relation) {
    case 'correlation':
      if (consistencyShift > 0) {
        return {
          unit: `${difference} of affinities at the best shift`,
          reading: `How much the layout of similar patches differs between the two modalities of a pair where they overlap, at the best shift of up to ${consistencyShift} ${consistencyShift === 1 ? 'patch' : 'patches'}; 0 is no difference.`,
        };
      }
      return {
        unit: `${difference} of affinities`,
        reading:
          'How much the layout of similar patches differs between the two modalities of a pair; 0 is no difference.',
      };
    case 'normed':
      return {
        unit: `${difference} of affinity shares`,
        reading:
          'How much it differs between the two modalities of a pair how each patch shares its affinity out among all patches; 0 is no difference.',
      };
    case 'kl':
      return {
        unit: 'symmetric KL divergence, nats',
        reading:
          'How far apart the two modalities of a pair are in how each patch shares its affinity out among all patches; 0 is no difference.',
      };
    case 'local-contrast':
      return {
        unit: 'InfoNCE of patches, nats',
        reading:
          'How hard it is to pick a patch’s counterpart out of all patches of the partner image; blind guessing has ln P for a map of P patches. Lower is better, but it does not reach 0.',
      };
    case 'cka':
      return {
        unit: '1 − CKA',
        reading:
          'How little the layouts of similar patches of the two modalities of a pair have in common, however strong the contrast between patches: 0 is the same layout, 1 nothing in common.',
      };
    case 'transport':
      return {
        unit: `${difference} of affinities after transport`,
        reading:
          'How much the layout of similar patches differs between the two modalities of a pair, with the patches of the second moved to similar ones nearby in the first. Moved patches are mixed, so it does not quite reach 0.',
      };
    case 'alignment-free':
      return {
        unit: `${difference} of sorted affinities`,
        reading:
          'How much it differs between the two modalities of a pair how many patches are how alike, wherever they lie; 0 is no difference.',
      };
  }
}

function anatomyWords(method: AnatomySettings): Readonly<Record<string, TermWords>> {
  const { unit, reading } = relationWords(method);
  return {
    consistency: {
      title: 'Anatomical consistency, L_C',
      unit: `L_C, ${unit}`,
      reading: `${reading} The dashed line is the same measure between images of different pairs: only a curve below it says that partners are more alike than strangers.`,
      chance: 'strangers',
    },
    global: {
      title: 'Global contrast, L_Glo',
      unit: 'L_Glo, nats',
      reading:
        'How hard it is to pick a pair’s own partner out of the batch, summed over four comparisons of views. ' +
        `The dashed line is blind guessing, 4·${method.positive === 'twice' ? 'ln(N + 1)' : 'ln N'} for N pairs in the batch; lower is better.`,
      chance: 'guessing',
    },
    reconstruction: {
      title: 'Reconstruction of the other modality',
      unit: 'mean squared error, pixels in 0..1',
      reading:
        'How far each image is from what a decoder paints of it from its partner. The dashed line is the mean image of the modality, painted without a look at the partner; lower is better.',
      chance: 'mean image',
    },
  };
}

function losses(lines: readonly JsonLine[], { method, weights }: CurveContext): (Figure | undefined)[] {
  const known = method.name === 'anatomy' ? anatomyWords(method) : termWords;
  return seriesBelow(lines, 'chance').map(({ name: term, points: chance }) => {
    const words = known[term] ?? { title: term, unit: term, reading: '', chance: 'chance' };
    const weight = weights[term];
    const factor =
      weight === undefined
        ? ''
        : weight === 0
          ? ' It is only watched in this run (weight 0).'
          : ` It enters the objective times ${weight}.`;
    return figure({
      id: `loss-${term}`,
      title: words.title,
      reading: words.reading + factor,
      label: words.unit,
      series: [seriesOf(lines, term, shortName(term))],
      references: [{ name: words.chance, level: chance }],
    });
  });
}

function shortName(term: string): string {
  return { consistency: 'L_C', global: 'L_Glo' }[term] ?? term;
}

function gradientRatio(lines: readonly JsonLine[]): Figure | undefined {
  return figure({
    id: 'gradient-ratio',
    title: 'Which loss pulls harder',
    reading:
      'Size of the consistency term’s gradient over that of the global term, weights included, at each map of the encoder ' +
      '(map 0 is the first and finest). Far below 1 the consistency term hardly shapes the features; far above 1 it rules alone.',
    label: '‖∇L_C‖ ÷ ‖∇L_Glo‖, log scale',
    series: seriesBelow(lines, 'gradientRatio').map(({ name, points }) => ({
      name: name.replace(/^map(\d)$/, 'map $1'),
      points,
    })),
    references: [{ name: 'equal', level: 1 }],
    scale: 'log',
  });
}

function retrieval(lines: readonly JsonLine[], { pairs }: CurveContext): Figure | undefined {
  const series = seriesBelow(lines, 'retrieval')
    .map(percent)
    .map((one) => ({ ...one, name: one.name.replace('-to-', '→') }));
  // Runs of older versions did not log how many pairs they looked at. Where images are missing, each pair of
  // modalities has a number of its own.
  const counts = [seriesOf(lines, 'retrievalPairs'), ...seriesBelow(lines, 'retrievalPairs')].flatMap(
    ({ points }) => points.at(-1)?.value ?? [],
  );
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const looked = counts.length > 0 && least === most ? least : undefined;
  let among = `the ${looked} pairs looked at (`;
  let guessing = `the dashed line is guessing, 1 in ${looked}`;
  if (looked === undefined) {
    among =
      counts.length === 0
        ? `the pairs looked at (at most ${pairs}`
        : `the pairs looked at (${least} to ${most}, as images are missing`;
    guessing = '; guessing finds one in as many';
  }
  return figure({
    id: 'retrieval',
    title: 'Finding the partner, retrieval@1',
    reading:
      `Share of images whose nearest neighbour in the other modality is their own partner, among ${among}${guessing}). ` +
      'Higher is better. Among more pairs it is harder: compare only with numbers of as many.',
    label: 'partners found first, %',
    series,
    references: looked === undefined ? [] : [{ name: 'guessing', level: 100 / looked }],
  });
}

function knnAuc(lines: readonly JsonLine[]): Figure | undefined {
  return figure({
    id: 'knn-auc',
    title: 'Labels from neighbours, kNN AUC',
    reading:
      'How well the labels of the nearest training images tell the classes apart, on pooled features. ' +
      'A quick look on few pairs: the probes below are the judgement. 0.5 is guessing, 1 is perfect.',
    label: 'area under the ROC curve',
    series: seriesBelow(lines, 'knnAuc'),
    references: [{ name: 'guessing', level: 0.5 }],
    scale: 'linear',
  });
}

function deviation(lines: readonly JsonLine[], { collapse }: CurveContext): Figure | undefined {
  return figure({
    id: 'feature-deviation',
    title: 'Spread of the embeddings',
    reading:
      'Standard deviation of the embeddings’ dimensions, as a share of that of evenly spread ones (1). ' +
      'Below the dashed line all images have collapsed into one point and nothing can be told apart.',
    label: 'deviation ÷ that of an even spread',
    series: seriesBelow(lines, 'featureDeviation'),
    references: [{ name: 'collapse', level: collapse }],
  });
}

function alignment(lines: readonly JsonLine[]): Figure | undefined {
  return figure({
    id: 'alignment',
    title: 'Alignment of partners',
    reading:
      'Mean squared distance between the embeddings of a pair’s two images, each scaled to length 1. 0 is perfect, 2 is unrelated. ' +
      'It means little alone: collapsed embeddings are perfectly aligned, so read it beside the spread.',
    label: 'squared distance',
    series: [seriesOf(lines, 'alignment')],
  });
}

function uniformity(lines: readonly JsonLine[]): Figure | undefined {
  return figure({
    id: 'uniformity',
    title: 'Uniformity',
    reading:
      'How evenly the embeddings cover the sphere: 0 when all are the same, towards −4 when they use all of it. Lower is better, as long as partners stay close.',
    label: 'log mean Gaussian potential',
    series: seriesBelow(lines, 'uniformity'),
  });
}

function learningRate(lines: readonly JsonLine[]): Figure | undefined {
  const { points } = seriesOf(lines, 'learningRate');
  return figure({
    id: 'learning-rate',
    title: 'Learning rate',
    reading: 'The size of the optimiser’s steps, as scheduled.',
    label: 'learning rate',
    series: [{ name: 'rate', points }],
    smooth: false,
  });
}

interface FigureWords extends Omit<LineChart, 'alt'> {
  readonly id: string;
  readonly title: string;
  readonly reading: string;
}

function figure({ id, title, reading, ...chart }: FigureWords): Figure | undefined {
  const series = chart.series.filter(({ points }) => points.length > 0);
  if (series.length === 0) return undefined;
  const alt = `${title}. ${[...series.map(courseOf), ...(chart.references ?? []).map(levelOf)].join('; ')}.`;
  return { id, title, reading, alt, svg: lineChart({ ...chart, series, alt }) };
}

function courseOf({ name, points }: Series): string {
  const [first, last] = [points[0]!, points.at(-1)!];
  if (first === last) return `${name} is ${brief(first.value)} at step ${first.step}`;
  return `${name} goes from ${brief(first.value)} at step ${first.step} to ${brief(last.value)} at step ${last.step}`;
}

function levelOf({ name, level }: Reference): string {
  return `${name} at ${brief(typeof level === 'number' ? level : level.at(-1)!.value)}`;
}

function percent({ name, points }: Series): Series {
  return { name, points: points.map(({ step, value }) => ({ step, value: 100 * value })) };
}
