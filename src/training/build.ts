/** Builds the encoder and the method that a config describes. */
import type { Config } from '../config/index.js';
import { hasImage, presentAmong } from '../data/presence.js';
import type { Dataset } from '../data/sample.js';
import { importEncoder } from '../export/encoder.js';
import { type Method, methodNamed } from '../methods/index.js';
import { Branches, backboneNamed, disposeModule, Encoder, placeModule } from '../nn/index.js';
import { type Device, Random } from '../tensor/index.js';
import { findEncoderDescription } from './encoderFile.js';
import { weightsAt } from './startingWeights.js';

/** The settings of a config that make an encoder. */
export interface EncoderSettings extends Pick<Config, 'model'> {
  readonly data: Pick<Config['data'], 'size' | 'normalize'>;
  /** The seed of the initial weights; null leaves them zero, for weights that are loaded next: drawing takes seconds. */
  readonly seed: number | null;
}

/**
 * Builds the encoder that a config describes, on the device. Its initial weights come from the seed or from
 * `model.initFrom`.
 * @param options.name the name of a second encoder, whose random weights are to differ from the first one's
 * @param options.onWarning receives a message when a head in `model.initFrom` does not fit and is left out
 */
export function buildEncoder(
  { model, data, seed }: EncoderSettings,
  device: Device,
  { name, onWarning }: { name?: string; onWarning?: (message: string) => void } = {},
): Encoder {
  const { backbone, width, headInput, embeddingSize, initFrom, branches = 1 } = model;
  const own = name === undefined || seed === null ? seed : new Random(seed, 'encoder', name).below(2 ** 31);
  const seeds = Array.from({ length: branches }, (_, branch) =>
    branch === 0 || own === null ? own : new Random(own, 'branch', branch).below(2 ** 31),
  );
  const { make, normalization: expected } = backboneNamed(backbone);
  // A file has all weights of the backbone, and those of the head where it fits.
  const drawn = initFrom === null ? seeds : seeds.map(() => null);
  const made = drawn.map((branchSeed) => make({ width, size: data.size, seed: branchSeed }));
  const encoder = new Encoder({
    backbone: branches === 1 ? made[0]! : new Branches(made),
    size: data.size,
    headInput,
    embeddingSize,
    seed: own,
  });
  try {
    if (initFrom !== null) {
      const file = weightsAt(initFrom, name);
      const own = findEncoderDescription(file)?.input.normalize;
      const normalization = { given: data.normalize, expected, own };
      importEncoder(file, encoder, { otherHead: 'leave out', normalization, onWarning });
    }
  } catch (error) {
    disposeModule(encoder);
    throw error;
  }
  return placeModule(encoder, device);
}

/** The pairs that a method is made for. */
export interface TrainingPairs extends Pick<Dataset, 'modalities' | 'colourCoded'> {
  /** The pairs trained on, in the order in which batches number them. */
  readonly samples: readonly {
    readonly subject: string;
    readonly label?: string;
    /** Whatever stands for the images that the sample has, by modality. */
    readonly images: Readonly<Record<string, unknown>>;
  }[];
}

/** Builds the pretraining method that a config describes. @throws UsageError when it does not fit the data */
export function buildMethod(
  config: Config,
  pairs: TrainingPairs,
  device: Device,
  onWarning?: (message: string) => void,
): Method {
  const { data, augment, seed } = config;
  const definition = methodNamed(config.method.name)!;
  // A method with two encoders reads the same weights twice.
  const told = new Set<string>();
  const warn = (message: string) => {
    if (!told.has(message)) onWarning?.(message);
    told.add(message);
  };
  const labels = pairs.samples.map(({ label }) => label);
  return definition.create(config.method, {
    modalities: pairs.modalities,
    present: presentAmong(pairs.samples, pairs.modalities),
    size: data.size,
    seed,
    augmentation: augment,
    colourCoded: data.colourCoded ?? pairs.colourCoded ?? [],
    normalization: data.normalize,
    device,
    makeEncoder: (name) => buildEncoder(config, device, { name, onWarning: warn }),
    subjects: numbered(pairs.samples.map(({ subject }) => subject)),
    labels: labels.every((label) => label !== undefined) ? numbered(labels) : undefined,
  });
}

/**
 * Tells whether the method of a config learns anything from a sample with these modalities.
 *
 * @param modalities all modalities of the data
 */
export function learnsFrom(
  { method }: Pick<Config, 'method'>,
  modalities: readonly string[],
): (sample: TrainingPairs['samples'][number]) => boolean {
  const definition = methodNamed(method.name)!;
  return (sample) => {
    const has = modalities.filter((modality) => hasImage(sample, modality));
    return definition.learnsFrom?.(method, has, modalities) ?? true;
  };
}

/** Numbers the names from 0 in alphabetical order, so that the same names have the same numbers. */
function numbered(names: readonly string[]): number[] {
  const numbers = new Map([...new Set(names)].sort().map((name, i) => [name, i]));
  return names.map((name) => numbers.get(name)!);
}

/**
 * Checks the method's settings before anything is decoded.
 *
 * @throws UsageError when they do not fit the rest of the config
 */
export function checkMethod({ data, method, model }: Pick<Config, 'data' | 'method' | 'model'>): void {
  const { strides } = backboneNamed(model.backbone);
  const facts = { size: data.size, strides, givenWeights: model.initFrom !== null };
  methodNamed(method.name)!.check?.(method, facts);
}
