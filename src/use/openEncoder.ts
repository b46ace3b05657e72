/**
 * This room uses what was pretrained: features of new images, models for other programs. This file opens the encoder of
 * a run.
 */
import type { Config } from '../config/index.js';
import { UsageError } from '../errors.js';
import {
  type JudgedRun,
  openRun,
  type RunEncoder,
  separateModalities,
  trainedEncoder,
} from '../evaluation/encoders/runEncoders.js';
import { disposeModule, type Encoder } from '../nn/index.js';
import type { Device } from '../tensor/index.js';

/**
 * Opens a run that has one encoder.
 *
 * @param root the `--out` folder of `anatomy pretrain`
 * @throws UsageError where there is none, or one for each fold
 */
export function openSingleRun(root: string, onWarning: (message: string) => void): JudgedRun {
  const run = openRun(root, onWarning);
  const [own] = run.encoders;
  if (own!.root === root) return run;
  throw new UsageError(
    `${root}: holds an encoder for each fold; name the run of one, such as --run ${own!.root}`,
  );
}

/** The networks of a run by modality, loaded. Modalities without an encoder of their own share the first one's. */
export class RunNetworks {
  readonly #run: RunEncoder;
  readonly #device: Device;
  readonly #separate: ReadonlySet<string>;
  readonly #networks = new Map<string | undefined, Encoder>();

  constructor(run: JudgedRun, device: Device) {
    this.#run = run.encoders[0]!;
    this.#device = device;
    this.#separate = new Set(separateModalities(this.#run));
  }

  get config(): Config {
    return this.#run.config;
  }

  /** The encoder that was trained for the modality. */
  of(modality: string): Encoder {
    const own = this.#separate.has(modality) ? modality : undefined;
    const known = this.#networks.get(own);
    if (known !== undefined) return known;
    const network = trainedEncoder(this.#run, modality, this.#device);
    this.#networks.set(own, network);
    return network;
  }

  dispose(): void {
    for (const network of this.#networks.values()) disposeModule(network);
    this.#networks.clear();
  }
}
