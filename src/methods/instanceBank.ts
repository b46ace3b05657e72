/** A memory bank with a row for each image, the instances of Wu et al. 2018. */

import type { z } from 'zod';
import { ops, type Tensor } from '../tensor/index.js';
import { BankContrast, type bankSettings } from './bankContrast.js';
import type { MethodContext } from './definition.js';
import type { memoryMask } from './falseNegatives.js';
import type { Pairs } from './method.js';
import { ofPresent } from './presence.js';

export interface InstanceBankOptions extends z.infer<z.ZodObject<typeof bankSettings>> {
  /** The modalities whose images are instances. */
  readonly modalities: readonly string[];
  /** The length of a row. */
  readonly dimension: number;
  readonly mask: z.infer<typeof memoryMask>;
}

/** The rows are those of the first modality, sample by sample, then those of the next. */
export class InstanceBank {
  readonly contrast: BankContrast;
  readonly #modalities: readonly string[];
  /** The row of the bank for each sample that has an image of the modality. */
  readonly #rowIn: ReadonlyMap<string, ReadonlyMap<number, number>>;

  constructor(options: InstanceBankOptions, context: MethodContext) {
    const { modalities, mask, ...settings } = options;
    const { present, subjects, seed, device } = context;
    this.#modalities = modalities;
    const owners = modalities.map((modality) => present?.[modality] ?? subjects.map((_, row) => row));
    const owner = owners.flat();
    let first = 0;
    this.#rowIn = new Map(
      owners.map((rows, m) => {
        const start = first;
        first += rows.length;
        return [modalities[m]!, new Map(rows.map((row, i) => [row, start + i]))];
      }),
    );
    this.contrast = new BankContrast({
      ...settings,
      name: 'bank',
      rows: owner.length,
      numbers: mask === 'none' ? undefined : mask === 'subject' ? owner.map((row) => subjects[row]!) : owner,
      seed,
      device,
    });
  }

  /** The number of rows. */
  get rows(): number {
    return [...this.#rowIn.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** The rows of the images of a batch, one modality after another. */
  rowsOf(pairs: Pairs): number[] {
    return this.#modalities.flatMap((modality) => {
      const rowIn = this.#rowIn.get(modality)!;
      return ofPresent(pairs.rows, pairs, modality).map((row) => rowIn.get(row)!);
    });
  }

  /** What `remember` needs of a batch. @param featuresOf [n, d], raw, of the images of a modality */
  memory(featuresOf: (modality: string, index: number) => Tensor): Readonly<Record<string, Tensor>> {
    const features = this.#modalities.map((modality, m) => {
      return [`feature.${modality}`, featuresOf(modality, m).detach()] as const;
    });
    return Object.fromEntries(features);
  }

  /**
   * Stores the features of a batch. Call it after they have been compared.
   *
   * @param estimates those of the normaliser that `contrast.compare` gave, any number
   */
  remember(memory: Readonly<Record<string, Tensor>>, pairs: Pairs, estimates?: Tensor): void {
    const features = this.#modalities.map((modality) => memory[`feature.${modality}`]!);
    this.contrast.remember(this.rowsOf(pairs), ops.cat(features, 0), estimates);
  }

  state(): ReadonlyMap<string, Tensor> {
    return this.contrast.state();
  }

  dispose(): void {
    this.contrast.dispose();
  }
}
