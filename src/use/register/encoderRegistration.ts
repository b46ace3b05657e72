/** Registers pairs by the maps of an encoder, in place of the intensities that elastix compares. */
import { resample } from '../../augment/index.js';
import { type AlignOptions, alignPair, type Guide, type Registration } from '../../data/align/alignPair.js';
import type { RegistrationMethod } from '../../data/align/registrars.js';
import { openThreads, type Registrars, type ThreadPlan } from '../../data/align/threads.js';
import type { Affine } from '../../data/align/transformation.js';
import type { Raster } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import { forwardingOf } from '../../evaluation/encoders/runSummary.js';
import { weightsDigest } from '../../evaluation/features/featureStore.js';
import { normalize } from '../../methods/index.js';
import {
  type Device,
  noGrad,
  ops,
  setThreads,
  type Tensor,
  tensor,
  threads,
  tidy,
  toChannelsLast,
  usableCores,
} from '../../tensor/index.js';
import { packageVersion } from '../../version.js';
import { openSingleRun, RunNetworks } from '../openEncoder.js';
import { correlation, inUnits, registerMaps } from './registerMaps.js';
import { selfSimilarity } from './selfSimilarity.js';

/** The cells across of the finest map: images are drawn as large as gives these. */
const CELLS = 192;
/** The stride of the finest map up to which images need not be drawn larger than 768². */
const COARSEST = 4;
/** The maps that are compared, the coarse one first, with the length of the first step in pixels of a picture of 224. */
const MAPS = [
  { map: 1, steps: 40, length: 2 },
  { map: 0, steps: 60, length: 0.5 },
] as const;

/** The displacement in pixels of 224 below which a pair is left as it lies: one registration in twenty errs by more than 2. */
const NEAR = 3;

/** What a thread is told: the run, the modalities of the data, where to compute, and how to register. */
export interface EncoderThreadData extends RegistrationRun {
  readonly options: AlignOptions;
}

/** The run whose encoder registers. */
export interface RegistrationRun {
  readonly root: string;
  /** Those of the data. */
  readonly modalities: readonly string[];
  /** By default what the machine has. */
  readonly device?: Device;
}

/**
 * Registers by the encoder of a run: the self-similarity of its first two maps, from coarse to fine, by descent. On a
 * CPU by as many threads as it has cores, each with an encoder of its own.
 *
 * @param modalities those of the data
 * @throws UsageError where there is no such run, or its network has no fine map
 */
export function byEncoder(
  root: string,
  modalities: readonly string[],
  onWarning: (message: string) => void,
): RegistrationMethod {
  const opened = new RegistrationEncoder({ root, modalities }, onWarning);
  const { told, device } = opened;
  const open = async (options: AlignOptions): Promise<Registrars> => {
    const before = threads();
    const many =
      device === 'cpu' ? openThreads(encoderThreads({ root, modalities, device, options })) : undefined;
    if (many !== undefined) opened.dispose();
    return {
      count: many?.count ?? 1,
      align: many?.align ?? opened.aligner(options),
      close: async () => {
        if (many !== undefined) await many.close();
        else opened.dispose();
        // Some of it is of the whole process, whichever thread sets it.
        setThreads(before);
      },
    };
  };
  return { told, open };
}

/** Threads with an encoder each. A second thread of a core has no arithmetic unit of its own, and LibTorch needs one. */
export function encoderThreads(workerData: EncoderThreadData): ThreadPlan {
  const worker = new URL('./encoderWorker.js', import.meta.url);
  return { worker, workerData, env: { OMP_NUM_THREADS: '1' }, count: usableCores() };
}

/** The encoder of a run, opened to register with. */
export class RegistrationEncoder {
  readonly device: Device;
  /** What is told of it beside the transformations. */
  readonly told: RegistrationMethod['told'];
  readonly #networks: RunNetworks;
  readonly #size: number;

  /** @throws UsageError where there is no such run, or its network has no fine map */
  constructor({ root, modalities, device }: RegistrationRun, onWarning: (message: string) => void) {
    const run = openSingleRun(root, onWarning);
    this.device = device ?? forwardingOf(run, {}).device;
    this.#networks = new RunNetworks(run, this.device);
    const encoders = modalities.map((modality) => this.#networks.of(modality));
    const [stride] = encoders[0]!.backbone.strides as [number];
    if (stride > COARSEST) {
      this.dispose();
      throw new UsageError(
        `${root}: the finest map of ${this.#networks.config.model.backbone} has a stride of ${stride} pixels, expected ${COARSEST} at most: it is too coarse to register by. Leave --run out.`,
      );
    }
    this.#size = CELLS * stride;
    this.told = {
      tool: `anatomy-ssl ${packageVersion()}`,
      metric: 'self-similarity of maps',
      parameters: {
        encoder: [...new Set(encoders)].map(weightsDigest),
        imageSide: [`${this.#size}`],
        maps: MAPS.map(({ map }) => `${map}`),
        steps: MAPS.map(({ steps }) => `${steps}`),
      },
    };
  }

  /** Registers pairs from now on by one thread of LibTorch: steps are so short that more would wait for each other. */
  aligner(options: AlignOptions): Registrars['align'] {
    setThreads(1);
    return async (a, b, [reference, modality]) => {
      const [there, back] = [this.#describe(a, reference), this.#describe(b, modality)];
      try {
        const climb = async (
          [fixed, moving]: readonly [readonly Tensor[], readonly Tensor[]],
          maps: readonly number[],
          start: Affine,
        ) => {
          const climbed = maps.reduce<Affine | undefined>((from, i) => {
            const { steps, length } = MAPS[i]!;
            const how = { kind: options.kind, extent: a, steps, length };
            return from && registerMaps(fixed[i]!, moving[i]!, from, how);
          }, start);
          // Descent is one long call. This lets Ctrl-C have its turn.
          await new Promise((resolve) => setImmediate(resolve));
          return climbed;
        };
        const register: Registration = (way, _, start) =>
          climb(way === 'there' ? [there, back] : [back, there], [0, 1], start);
        const guide: Guide = {
          approach: (start) => climb([there, back], [0], start),
          fit: (transformation) =>
            tidy(() => correlation(there[1]!, back[1]!)(inUnits(transformation, a))?.value ?? 0),
          near: NEAR,
        };
        return await alignPair({ a, b }, options, [register], guide);
      } finally {
        for (const descriptor of [...there, ...back]) descriptor.dispose();
      }
    };
  }

  dispose(): void {
    this.#networks.dispose();
  }

  /** Describes the maps of an image, in the order of `MAPS`. */
  #describe({ width, height, channels, data }: Raster, modality: string): Tensor[] {
    const { config } = this.#networks;
    return noGrad(() =>
      tidy(() => {
        const pixels = tensor(data, [1, height, width, channels], { device: this.device });
        const size = this.#size;
        const images = resample(ops.contiguous(ops.permute(pixels, [0, 3, 1, 2]), 'contiguous'), null, {
          size,
        });
        const { maps } = this.#networks
          .of(modality)
          .backbone.forward(toChannelsLast(normalize(images, config.data.normalize)));
        return MAPS.map(({ map }) => selfSimilarity(maps[map]!));
      }),
    );
  }
}
