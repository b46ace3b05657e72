/**
 * Instance discrimination (Wu et al. 2018): each image is a class of its own, kept as one row of a memory bank. The
 * paper's baselines InstDis-A, InstDis-B and InstDis-All are settings of it.
 */
import { z } from 'zod';
import { ops, type Tensor } from '../tensor/index.js';
import { BankContrast, bankDefaults, bankSettings } from './bankContrast.js';
import { defineMethod, type MethodContext } from './definition.js';
import { memoryMask } from './falseNegatives.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, ViewSpec, Views } from './method.js';
import { SharedEncoder } from './sharedEncoder.js';
import { makeViews, viewPart } from './views.js';

const schema = z.strictObject({
  name: z.literal('instdis'),
  images: z.enum(['a', 'b', 'all']).describe('Which images are instances: of A, of B or of both.'),
  ...bankSettings,
  mask: memoryMask,
});

export const instdis = defineMethod({
  name: 'instdis',
  summary: 'instance discrimination with a memory bank (Wu et al. 2018)',
  schema,
  defaults: { name: 'instdis', images: 'all', ...bankDefaults, mask: 'none' },
  create: (options, context) => new InstDis(options, context),
});

class InstDis extends SharedEncoder implements Method {
  readonly name = 'instdis';
  readonly comparesBatch = false;
  readonly #modalities: readonly string[];
  /** The bank. Row m·n + i belongs to the image of modality m of pair i. */
  readonly #bank: BankContrast;

  constructor({ images, mask, ...settings }: z.infer<typeof schema>, context: MethodContext) {
    const { modalities, subjects, seed, device } = context;
    super(context);
    this.#modalities = images === 'all' ? modalities : [modalities[images === 'a' ? 0 : 1]];
    const numbers = mask === 'subject' ? subjects : subjects.map((_, row) => row);
    this.#bank = new BankContrast({
      ...settings,
      name: 'bank',
      rows: this.#modalities.length * subjects.length,
      dimension: this.encoder.embeddingSize,
      numbers: mask === 'none' ? undefined : this.#modalities.flatMap(() => numbers),
      seed,
      device,
    });
  }

  override state(): ReadonlyMap<string, Tensor> {
    return new Map([...super.state(), ...this.#bank.state()]);
  }

  views(batch: Batch): Views {
    const specs = this.#modalities.map((modality): ViewSpec => ({ modality, look: 0 }));
    return makeViews(batch, specs, this.context);
  }

  forward({ images, pairs }: Views, { record }: RecordOptions = {}): Forward {
    const { maps, embedding } = this.encoder.forward(images, { training: true, record });
    const count = pairs.ids.length;
    const { loss, estimate } = this.#bank.compare(embedding, this.#rowsOf(pairs), pairs.epoch);
    const features = this.#modalities.map((modality, m) => {
      return [`feature.${modality}`, viewPart(embedding, m, count).detach()] as const;
    });
    const estimates = estimate && { estimate: estimate.narrow(0, 0, count) };
    return {
      embeddings: {},
      perPair: { instance: { value: loss, weight: 1 } },
      maps: { map4: maps[4]! },
      memory: { ...Object.fromEntries(features), ...estimates },
    };
  }

  #rowsOf({ rows }: Pairs): number[] {
    const pairs = this.context.subjects.length;
    return this.#modalities.flatMap((_, m) => rows.map((row) => m * pairs + row));
  }

  chance(): Readonly<Record<string, number>> {
    return { instance: this.#bank.chance };
  }

  afterStep({ estimate, ...memory }: Readonly<Record<string, Tensor>>, pairs: Pairs): void {
    const features = this.#modalities.map((modality) => memory[`feature.${modality}`]!);
    this.#bank.remember(this.#rowsOf(pairs), ops.cat(features, 0), estimate);
  }

  override dispose(): void {
    super.dispose();
    this.#bank.dispose();
  }
}
