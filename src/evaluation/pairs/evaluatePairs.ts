/**
 * This room measures the paper's mechanism on pairs without labels: the values of the two losses (Fig. 3), the distance
 * of mates (Fig. 4), whether patches are alike in the same way in both modalities (Fig. 5), and whether they were
 * before any training (Fig. 1b).
 */
import type { ImageCache } from '../../data/cache/decodedImages.js';
import { ImageLoader } from '../../data/loading/loader.js';
import { published } from '../../data/pseudonym.js';
import type { Dataset } from '../../data/sample.js';
import type { MessageConsole } from '../../log/console.js';
import { Progress } from '../../log/progress.js';
import { unitRows } from '../../metrics/features/features.js';
import type { Encoder } from '../../nn/index.js';
import { calibrate } from '../../training/embed.js';
import { packageVersion } from '../../version.js';
import {
  type JudgedRun,
  separateModalities,
  trainedEncoder,
  untrainedEncoder,
} from '../encoders/runEncoders.js';
import { type Forwarding, runSummary } from '../encoders/runSummary.js';
import { thumbnails } from '../features/thumbnails.js';
import { exposureOf } from '../folds/exposure.js';
import { decodeImages, type JudgementOptions, openJudgement } from '../openJudgement.js';
import {
  type Example,
  type PairSource,
  type PairsResult,
  type Projection,
  pairsResult,
} from '../results/pairsResult.js';
import type { Computed } from '../results/stored.js';
import { chooseAnchors, chooseExamples, intensities, similarityMaps } from './examples.js';
import { type Masks, readMasks } from './masks.js';
import { fixedBatches } from './measures/batches.js';
import { type Batch, measureEncoder, type PairFeatures } from './measures/encoderMeasures.js';
import { PairEncoder } from './measures/pairEncoder.js';
import { PairTally } from './measures/pairTally.js';
import { measurePixels } from './measures/pixelMeasures.js';
import { type Ruler, rulerOf } from './measures/ruler.js';
import { strangersOf } from './measures/strangers.js';
import { pairNotes } from './notes.js';
import type { PairsQuestion } from './pairsQuestion.js';
import { choosePair, type PairPlan, type PairRound, planPairs } from './plan.js';
import { projectionSettings, projectPairs } from './projection.js';

export interface EvaluatePairsOptions extends JudgementOptions {
  /** A folder with a mask `ID.png` for each pair, not 0 where the lesion is. Phantoms know their own lesions. */
  readonly masks?: string;
  /** The two modalities to measure; by default the first two of the data. */
  readonly pair?: readonly string[];
  /** The largest number of pairs to measure; all by default. */
  readonly pairs?: number;
}

type EncoderSource = Exclude<PairSource, 'pixels'>;
const encoderSources: readonly EncoderSource[] = ['run', 'untrained'];

/**
 * Measures all claims and writes nothing; see `savePairs`. The same options give the same numbers, for the same
 * LibTorch, threads and precision.
 *
 * @param refuse called before the measuring with the question; see `refuseOtherPairs`
 * @throws UsageError when there is no run or the options do not fit it, DataError when the data has no pairs to compare
 * or the masks cannot be read
 */
export async function evaluatePairs(
  options: EvaluatePairsOptions,
  refuse: (question: PairsQuestion) => void = () => {},
): Promise<PairsResult> {
  const opened = await openJudgement(options);
  const { run, forwarding, dataset, seed, bootstrap, console } = opened;
  const { config } = run.encoders[0]!;
  const { modalities, positions: both } = choosePair(dataset, options.pair);
  const { cache, trace } = await decodeImages(opened);
  const plan = await planPairs(dataset, run, trace, {
    of: both,
    splits: options.splits,
    setAside: options.setAside,
    pairs: options.pairs,
    seed,
  });
  const { positions } = plan;
  const masks = await readMasks(positions, {
    dataset,
    // A folder for each modality is no phantom, and has no path.
    path: (options.data?.folders ? null : (options.data?.path ?? config.data.path)) ?? '',
    folder: options.masks,
    size: cache.size,
  });
  const exposure = exposureOf(
    { rounds: plan.rounds.map(({ positions: test, encoder }) => ({ test, encoder })) },
    { positions: dataset.samples.map((_, position) => position) },
    trace,
  );
  const ruler = rulerOf(config);
  const subjects = positions.map((position) => dataset.samples[position]!.subject);
  const data: PairsQuestion['data'] = {
    name: dataset.name,
    dataHash: published(cache.dataHash),
    pairs: positions.length,
    subjects: new Set(subjects).size,
    modalities: [...modalities],
    among: dataset.modalities.length > 2 ? [...dataset.modalities] : undefined,
    lacking: both.length < dataset.samples.length ? dataset.samples.length - both.length : undefined,
    chosen: plan.chosen,
    drawnFrom: plan.drawnFrom,
    setAside: plan.setAside,
    withLesion: masks.lesion.size,
  };
  refuse({ data, seed, run: { precision: forwarding.precision }, bootstrap });
  const tally = new PairTally(subjects);
  const measuring = { run, dataset, modalities, cache, plan, masks, forwarding, ruler, seed, tally };
  const { projections, examples } = await measureAll(measuring, console);
  const measures = tally.measures(bootstrap);
  const result: Computed<PairsResult> = {
    version: 1,
    tool: `anatomy-ssl ${packageVersion()}`,
    protocol: 'pairs',
    run: runSummary(run, forwarding),
    data,
    exposure,
    settings: {
      maps: ruler.maps,
      consistency: ruler.consistency,
      global: { ...ruler.global, negatives: 'other subjects' },
      augmentation: ruler.augmentation,
      batches: [
        ...new Set(
          plan.rounds.flatMap((round) => fixedBatches(round.positions, seed).map((one) => one.length)),
        ),
      ],
      pixelSide: cache.size,
      projection: projectionSettings,
      seed,
    },
    bootstrap,
    measures,
    projections,
    examples,
    notes: pairNotes({ run, dataset, data, plan, exposure, masks, measures }),
  };
  return pairsResult.parse(result);
}

interface Measuring {
  readonly run: JudgedRun;
  readonly dataset: Dataset;
  readonly modalities: readonly [string, string];
  readonly cache: ImageCache;
  readonly plan: PairPlan;
  readonly masks: Masks;
  readonly forwarding: Forwarding;
  readonly ruler: Ruler;
  readonly seed: number;
  readonly tally: PairTally;
}

async function measureAll(
  measuring: Measuring,
  console: MessageConsole,
): Promise<{ projections: Projection[]; examples: Example[] }> {
  const { dataset, modalities, cache, plan, masks, forwarding, ruler, seed, tally } = measuring;
  const { size, normalize: normalization } = plan.rounds[0]!.encoder.config.data;
  const colourCoded = plan.rounds[0]!.encoder.config.data.colourCoded ?? dataset.colourCoded ?? [];
  const loader = new ImageLoader(cache, forwarding.device);
  const common = { loader, size, normalization, ...forwarding };
  const subjects = dataset.samples.map(({ subject }) => subject);
  const examples = await anchoredExamples(
    chooseExamples(plan.positions, subjects, masks.lesion, seed),
    measuring,
    loader,
  );
  const projections: Projection[] = [];
  const progress = new Progress(plan.rounds.length * 3, console, { title: 'measuring' });
  let done = 0;
  try {
    for (const [r, round] of plan.rounds.entries()) {
      const batches = batchesOf(round, measuring);
      await measurePixels(batches, {
        loader,
        modalities,
        thumbnails: thumbnails(
          cache,
          batches.flatMap(({ positions }) => positions),
          modalities.map((modality) => [modality]),
        ),
        tally,
      });
      progress.update(++done);
      for (const source of encoderSources) {
        const encoders = await encodersOf(source, round, measuring, common);
        const encoder = new PairEncoder(encoders, { ...common, modalities, ids: cache.ids });
        try {
          const features = await measureEncoder(batches, {
            source,
            encoder,
            ruler,
            colourCoded,
            modalities,
            seed,
            tally,
          });
          // Embeddings of two encoders have no axis in common, so the picture shows the pairs of the first one.
          if (r === 0) projections.push(...projectionsOf(source, features, seed));
          for (const { position, anchors } of examples) {
            if (!round.positions.includes(position)) continue;
            const maps = await similarityMaps(encoder, source, position, anchors, ruler.sides);
            for (const [i, anchor] of anchors.entries()) anchor.maps.push(...maps[i]!);
          }
        } finally {
          encoder.dispose();
        }
        progress.update(++done);
      }
    }
    loader.check();
  } finally {
    progress.stop();
    loader.dispose();
  }
  return { projections, examples };
}

function batchesOf({ positions }: PairRound, { dataset, plan, masks, seed }: Measuring): Batch[] {
  const pairAt = new Map(plan.positions.map((position, pair) => [position, pair]));
  return fixedBatches(positions, seed).map((batch, number) => {
    const subjects = batch.map((position) => dataset.samples[position]!.subject);
    return {
      positions: batch,
      subjects,
      pairs: batch.map((position) => pairAt.get(position)!),
      strangers: strangersOf(subjects, seed, 'pairs', number),
      masks: batch.map((position) => masks.lesion.get(position)),
    };
  });
}

/** Builds one network for both modalities, or two where the run trained two. */
async function encodersOf(
  source: EncoderSource,
  { encoder, calibration }: PairRound,
  { modalities }: Measuring,
  common: Omit<Parameters<typeof calibrate>[0], 'encoder' | 'indices'>,
): Promise<[Encoder, Encoder]> {
  if (source === 'untrained') {
    const network = untrainedEncoder(encoder.config, common.device);
    if (network.backbone.batchNorm) {
      await calibrate({ ...common, encoder: network, indices: calibration }, modalities);
    }
    return [network, network];
  }
  const [a, b] = modalities;
  const network = trainedEncoder(encoder, a, common.device);
  if (separateModalities(encoder).length === 0) return [network, network];
  return [network, trainedEncoder(encoder, b, common.device)];
}

function projectionsOf(source: EncoderSource, { head: [a, b] }: PairFeatures, seed: number): Projection[] {
  return projectPairs(unitRows(a), unitRows(b), seed).map((projection) => ({ source, ...projection }));
}

/** An example whose similarity maps are still being added. */
type GrowingExample = Omit<Example, 'anchors'> & {
  readonly anchors: (Omit<Example['anchors'][number], 'maps'> & {
    readonly maps: Example['anchors'][number]['maps'][number][];
  })[];
};

async function anchoredExamples(
  positions: readonly number[],
  { modalities: [a, b], masks, cache }: Measuring,
  loader: ImageLoader,
): Promise<GrowingExample[]> {
  const examples: GrowingExample[] = [];
  for (const position of positions) {
    const mask = masks.lesion.get(position);
    const images = [await intensities(loader, a, position), await intensities(loader, b, position)] as const;
    const anchors = chooseAnchors(images, cache.size, mask);
    examples.push({
      position,
      lesion: mask !== undefined,
      anchors: anchors.map((anchor) => ({ ...anchor, maps: [] })),
    });
  }
  return examples;
}
