/**
 * Opens what every protocol begins with: the run that is judged, the data to judge it on, and what the run has seen of
 * them.
 */
import type { ImageCache } from '../data/cache/decodedImages.js';
import type { Dataset } from '../data/sample.js';
import { MessageConsole } from '../log/console.js';
import { openImages } from '../training/imageCache.js';
import type { Precision } from '../training/precision.js';
import { type JudgedDataSpec, openJudgedData } from './encoders/judgedData.js';
import { type JudgedRun, openRun } from './encoders/runEncoders.js';
import { type Forwarding, forwardingOf } from './encoders/runSummary.js';
import { type ImageTrace, traceImages } from './folds/imageTrace.js';
import type { BootstrapSettings } from './results/evaluationResult.js';

/** The options that every protocol has. */
export interface JudgementOptions {
  /** The folder of a run, or of `pretrain --fold all`. */
  readonly run: string;
  /** The data to judge on; by default the run's own. */
  readonly data?: JudgedDataSpec;
  /** The path of a splits file from `anatomy data split`. */
  readonly splits?: string;
  /** Judge only the samples that the splits set aside. */
  readonly setAside?: boolean;
  /** The seed of all draws; 0 by default. */
  readonly seed?: number;
  /** The number of draws of the bootstrap over subjects; 2000 by default. */
  readonly replicates?: number;
  readonly device?: string;
  /** The precision of the forward pass; by default that of the run's training. */
  readonly precision?: 'auto' | Precision;
  readonly console?: MessageConsole;
  /** The folder for decoded images. */
  readonly cacheFolder?: string;
}

/** A run and the data to judge it on; no image has been decoded yet. */
export interface OpenJudgement {
  readonly run: JudgedRun;
  readonly forwarding: Forwarding;
  readonly dataset: Dataset;
  readonly seed: number;
  readonly bootstrap: BootstrapSettings;
  readonly console: MessageConsole;
  readonly cacheFolder?: string;
}

/**
 * Opens the run and the data.
 * @param refuse called before the data is opened, with the device and precision with which the run will be judged
 * @throws UsageError where there is no run or the options do not fit it, DataError where the data cannot be opened
 */
export async function openJudgement(
  options: JudgementOptions,
  refuse: (forwarding: Forwarding) => void = () => {},
): Promise<OpenJudgement> {
  const { seed = 0, replicates = 2000, cacheFolder, console = new MessageConsole({ quiet: true }) } = options;
  const run = openRun(options.run, (message) => console.warn(message));
  const forwarding = forwardingOf(run, options);
  refuse(forwarding);
  const dataset = await openJudgedData(options.data ?? {}, run.encoders[0]!.config, console);
  const bootstrap = { replicates, confidence: 0.95, seed };
  return { run, forwarding, dataset, seed, bootstrap, console, cacheFolder };
}

/** Decodes the images, and finds out which of them the run has seen. */
export async function decodeImages({
  run,
  dataset,
  console,
  cacheFolder,
}: OpenJudgement): Promise<{ cache: ImageCache; trace: ImageTrace }> {
  const cache = await openImages(dataset, run.encoders[0]!.config, cacheFolder, console);
  return { cache, trace: await traceImages(run, dataset, cache, cacheFolder) };
}
