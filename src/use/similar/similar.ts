/** `anatomy similar`: the cases whose images are nearest to a query, within a modality or across two. */
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { ImageLoader } from '../../data/loading/loader.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { DataError, UsageError } from '../../errors.js';
import { type JudgedDataSpec, openJudgedData } from '../../evaluation/encoders/judgedData.js';
import { type Forwarding, forwardingOf } from '../../evaluation/encoders/runSummary.js';
import type { EncoderFeatures } from '../../evaluation/results/featureKinds.js';
import { askedSets, isAny, modalitiesIn, modalityKey } from '../../evaluation/results/modalitySets.js';
import { MessageConsole } from '../../log/console.js';
import { type Features, unitRows } from '../../metrics/features/features.js';
import { eachProductRow } from '../../metrics/features/similarity.js';
import { nearest } from '../../text/nearest.js';
import { openImages } from '../../training/imageCache.js';
import type { Precision } from '../../training/precision.js';
import { vectorKind } from '../embed/featureKind.js';
import { collectFeatures } from '../embed/featureStream.js';
import { openSingleRun, RunNetworks } from '../openEncoder.js';

export interface SimilarOptions {
  /** The folder of a run. */
  readonly run: string;
  /** The images to search; by default the run's own. */
  readonly data?: JudgedDataSpec;
  /** The ids of samples in the data, or image files: one of the query's modality, or `NAME=FILE` for each of a pair. */
  readonly query: readonly string[];
  /** The modalities that are searched, such as `b`; by default all together. */
  readonly images?: string;
  /** The modalities of the query, such as `a`; by default those that are searched. */
  readonly queryImages?: string;
  /** `pooled`, `head` or `maps`; by default `pooled`, and `head` across modalities, where the method drew them together. */
  readonly features?: string;
  /** The number of cases for each query; 10 by default. */
  readonly count?: number;
  /** Also samples of the query's own subject. */
  readonly sameSubject?: boolean;
  readonly device?: string;
  readonly precision?: 'auto' | Precision;
  readonly console?: MessageConsole;
  readonly cacheFolder?: string;
}

export interface SimilarCase {
  readonly sample: Sample;
  /** The cosine of the features, −1 … 1. */
  readonly similarity: number;
}

export interface SimilarCases {
  readonly query: Sample;
  /** The data that the query is of. */
  readonly of: Dataset;
  /** The nearest first. */
  readonly cases: readonly SimilarCase[];
}

export interface Similar {
  readonly dataset: Dataset;
  readonly features: EncoderFeatures;
  readonly images: string;
  readonly queryImages: string;
  readonly found: readonly SimilarCases[];
}

/**
 * Finds the samples with the most similar features, by cosine.
 *
 * @throws UsageError when an option or a query does not fit, DataError when images cannot be read
 */
export async function similar(options: SimilarOptions): Promise<Similar> {
  const { count = 10, sameSubject = false, console = new MessageConsole({ quiet: true }) } = options;
  if (!(Number.isInteger(count) && count >= 1)) {
    throw new UsageError(`--count is ${count}, expected a whole number from 1`);
  }
  if (options.query.length === 0) {
    throw new UsageError('similar needs a query: the id of a sample, or an image file');
  }
  const run = openSingleRun(options.run, (message) => console.warn(message));
  const forwarding = forwardingOf(run, options);
  const networks = new RunNetworks(run, forwarding.device);
  try {
    const dataset = await openJudgedData(options.data ?? {}, networks.config, console);
    const { images, queryImages } = setsOf(dataset, options);
    const across = modalityKey(images) !== modalityKey(queryImages);
    const features = vectorKind(options.features ?? (across ? 'head' : 'pooled'));
    const search: Search = { networks, forwarding, features, console, cacheFolder: options.cacheFolder };
    const { dataset: asked, places } = queriesIn(dataset, queryImages, options.query);
    const gallery = await rowsOf(search, dataset, images);
    const queries = await rowsOf(search, asked, queryImages, places);
    return {
      dataset,
      ...{ features, images: modalityKey(images), queryImages: modalityKey(queryImages) },
      found: nearestCases(queries, gallery, { count, sameSubject }),
    };
  } finally {
    networks.dispose();
  }
}

function setsOf(
  { modalities, name }: Dataset,
  { images, queryImages }: Pick<SimilarOptions, 'images' | 'queryImages'>,
): { images: readonly string[]; queryImages: readonly string[] } {
  const of = (key: string) => askedSets(modalities, [key])[0]!;
  const searched = of(images ?? queryImages ?? modalityKey(modalities));
  const asked = of(queryImages ?? modalityKey(searched));
  const widths = [searched, asked].map((set) => (isAny(set) ? 1 : set.length));
  if (widths[0] === widths[1]) return { images: searched, queryImages: asked };
  throw new UsageError(
    `${name}: --query-images ${modalityKey(asked)} and --images ${modalityKey(searched)} have features of different lengths; name as many modalities in both`,
  );
}

interface Search {
  readonly networks: RunNetworks;
  readonly forwarding: Forwarding;
  readonly features: EncoderFeatures;
  readonly console: MessageConsole;
  readonly cacheFolder?: string;
}

/** Samples with their features, a row each. */
interface Rows {
  readonly dataset: Dataset;
  readonly samples: readonly Sample[];
  readonly features: Features;
}

/** The features of the samples that have the images of the set. */
async function rowsOf(
  { networks, forwarding, features, console, cacheFolder }: Search,
  dataset: Dataset,
  set: readonly string[],
  among: readonly number[] = [...dataset.samples.keys()],
): Promise<Rows> {
  const { modalities } = dataset;
  const has = (place: number, modality: string) => dataset.samples[place]!.images[modality] !== undefined;
  const places = among.filter((place) =>
    isAny(set)
      ? modalities.some((modality) => has(place, modality))
      : set.every((modality) => has(place, modality)),
  );
  if (places.length === 0) {
    throw new DataError(
      `${dataset.name}: no sample has images of ${modalitiesIn(set, modalities).join(', ')}, so there is nothing to compare`,
    );
  }
  const { data } = networks.config;
  const cache = await openImages(dataset, networks.config, cacheFolder, console);
  const loader = new ImageLoader(cache, forwarding.device);
  const stream = {
    ...{ encoderFor: (modality: string) => networks.of(modality), loader, cache, modalities, set },
    ...{ kind: { name: features }, indices: places, size: data.size, normalization: data.normalize },
    ...forwarding,
  };
  const rows = await collectFeatures(stream, console, 'embedding').finally(() => loader.dispose());
  return { dataset, samples: places.map((place) => dataset.samples[place]!), features: rows };
}

/** Finds the queries: samples of the data by id, or image files as a sample of their own. */
function queriesIn(
  dataset: Dataset,
  set: readonly string[],
  query: readonly string[],
): { dataset: Dataset; places: readonly number[] } {
  const placeOf = new Map(dataset.samples.map(({ id }, place) => [id, place]));
  const known = query.map((word) => placeOf.get(word));
  if (known.every((place) => place !== undefined)) {
    const lacking = known.find((place) =>
      modalitiesIn(set, dataset.modalities).every(
        (name) => dataset.samples[place!]!.images[name] === undefined,
      ),
    );
    if (lacking !== undefined) {
      throw new UsageError(
        `--query ${dataset.samples[lacking]!.id}: lacks the images that are asked for, ${modalityKey(set)}; name others with --query-images`,
      );
    }
    return { dataset, places: known as number[] };
  }
  return { dataset: fileQuery(dataset, set, query), places: [0] };
}

/** A data set of one sample: the image files of the query. */
function fileQuery(dataset: Dataset, set: readonly string[], query: readonly string[]): Dataset {
  const modalities = modalitiesIn(set, dataset.modalities);
  const images: Record<string, Sample['images'][string]> = {};
  for (const word of query) {
    const [, name = modalities[0]!, path = word] = /^([^\s=/\\:,]+)=(.+)$/s.exec(word) ?? [];
    if (!dataset.modalities.includes(name)) {
      throw new UsageError(
        `--query ${word}: ${name} is no modality of ${dataset.name}; it has ${dataset.modalities.join(', ')}`,
      );
    }
    if (!(statSync(path, { throwIfNoEntry: false })?.isFile() ?? false)) throw unknownQuery(dataset, word);
    if (images[name] !== undefined) {
      throw new UsageError(
        `--query: two image files are of ${name}; name the modality of each, as in --query ${dataset.modalities.map((own) => `${own}=FILE`).join(' ')}, or ask one by one`,
      );
    }
    images[name] = { kind: 'file', path: resolve(path) };
  }
  const missing = isAny(set) ? [] : set.filter((name) => images[name] === undefined);
  if (missing.length > 0) {
    throw new UsageError(
      `--query: no file is of ${missing.join(', ')}, and ${modalityKey(set)} is compared; add ${missing.map((name) => `${name}=FILE`).join(' ')}, or choose with --query-images`,
    );
  }
  const name = basename(
    Object.values(images).map((source) => (source.kind === 'file' ? source.path : ''))[0]!,
  );
  const sample: Sample = { id: name, subject: `the subject of ${name}`, images };
  const { preprocess, maxBytes } = dataset;
  return { name, modalities: Object.keys(images), samples: [sample], preprocess, maxBytes };
}

function unknownQuery({ name, samples }: Dataset, word: string): UsageError {
  const meant = nearest(
    word,
    samples.map(({ id }) => id),
  );
  return new UsageError(
    `--query ${word}: is neither the id of a sample of ${name} nor an image file${meant === undefined ? '' : `; did you mean ${meant}?`}`,
  );
}

function nearestCases(
  queries: Rows,
  gallery: Rows,
  { count, sameSubject }: { readonly count: number; readonly sameSubject: boolean },
): SimilarCases[] {
  const found: SimilarCases[] = [];
  const { columns } = gallery.features;
  eachProductRow(
    unitRows(queries.features).data,
    unitRows(gallery.features).data,
    columns,
    (row, products) => {
      const query = queries.samples[row]!;
      const own = gallery.dataset === queries.dataset;
      const cases = gallery.samples
        .map((sample, place) => ({ sample, similarity: products[place]! }))
        .filter(
          ({ sample }) => !own || (sample !== query && (sameSubject || sample.subject !== query.subject)),
        )
        .sort((one, other) => other.similarity - one.similarity)
        .slice(0, count);
      found.push({ query, of: queries.dataset, cases });
    },
  );
  return found;
}
