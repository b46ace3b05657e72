/**
 * Contrastive multiview coding (Tian et al. 2020), with the two modalities as the two views: each image finds its mate
 * among the features of the other modality.
 */
import { z } from 'zod';
import { infoNce } from '../losses/index.js';
import { disposeModule, type Encoder, namedParameters, stateDict } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { BankContrast, bankDefaults, bankSettings } from './bankContrast.js';
import { defineMethod, type MethodContext } from './definition.js';
import { batchMask, subjectMask } from './falseNegatives.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Term, Views } from './method.js';
import { makeViews, viewPart } from './views.js';

const schema = z.strictObject({
  name: z.literal('cmc'),
  encoders: z.enum(['separate', 'shared']).describe('One encoder for each modality, or one for both.'),
  candidates: z
    .enum(['banks', 'batch'])
    .describe('Among what the mate is found: a memory bank for each modality, or the batch.'),
  ...bankSettings,
  mask: subjectMask,
});

type CmcOptions = z.infer<typeof schema>;

export const cmc = defineMethod({
  name: 'cmc',
  summary: 'each modality finds its mate in the other’s memory bank (CMC, Tian et al. 2020)',
  schema,
  defaults: { name: 'cmc', encoders: 'separate', candidates: 'banks', ...bankDefaults, mask: 'none' },
  // In the source the two views are channels of one crop.
  elsewhere: { augment: { geometry: 'shared' } },
  create: (options, context) => new Cmc(options, context),
});

class Cmc implements Method {
  readonly name = 'cmc';
  readonly comparesBatch: boolean;
  readonly #options: CmcOptions;
  readonly #context: MethodContext;
  readonly #encoders: readonly [Encoder, Encoder];
  /** The bank of A's features and that of B's. There are none where the batch holds the candidates. */
  readonly #banks: readonly BankContrast[];

  constructor(options: CmcOptions, context: MethodContext) {
    const { encoders, candidates, mask, ...settings } = options;
    const { modalities, makeEncoder, subjects, seed, device } = context;
    this.#options = options;
    this.#context = context;
    this.comparesBatch = candidates === 'batch';
    const first = makeEncoder();
    this.#encoders = [first, encoders === 'shared' ? first : makeEncoder(modalities[1])];
    const numbers = mask === 'subject' ? subjects : undefined;
    const rows = subjects.length;
    const dimension = first.embeddingSize;
    this.#banks =
      candidates === 'batch'
        ? []
        : modalities.map((modality) => {
            return new BankContrast({
              ...settings,
              name: `bank.${modality}`,
              rows,
              dimension,
              numbers,
              seed,
              device,
            });
          });
  }

  parameters(): ReadonlyMap<string, Tensor> {
    return this.#named(namedParameters);
  }

  state(): ReadonlyMap<string, Tensor> {
    return new Map([...this.#named(stateDict), ...this.#banks.flatMap((bank) => [...bank.state()])]);
  }

  /** The tensors by name. Those of a second encoder stand under the name of its modality. */
  #named(tensorsOf: typeof stateDict): Map<string, Tensor> {
    const [first, second] = this.#encoders;
    const own = tensorsOf(first);
    return first === second
      ? own
      : new Map([...own, ...tensorsOf(second, `encoder.${this.#context.modalities[1]}.`)]);
  }

  views(batch: Batch): Views {
    const specs = this.#context.modalities.map((modality) => ({ modality, look: 0 }));
    return makeViews(batch, specs, this.#context);
  }

  forward({ images, pairs }: Views, { record }: RecordOptions = {}): Forward {
    const count = pairs.ids.length;
    const { embeddings, map } = this.#embed(images, count, record);
    const shown = { map4: map };
    if (this.comparesBatch) {
      return { embeddings: { a: embeddings[0], b: embeddings[1] }, perPair: {}, maps: shown, memory: {} };
    }
    const memory: Record<string, Tensor> = {};
    const terms = this.#context.modalities.map((modality, m) => {
      // The features of A are compared with the bank of B, and the other way round.
      const { loss, estimate } = this.#banks[1 - m]!.compare(embeddings[m]!, pairs.rows, pairs.epoch);
      memory[`feature.${modality}`] = embeddings[m]!.detach();
      if (estimate) memory[`estimate.${1 - m}`] = estimate;
      return loss;
    });
    const perPair = { contrast: { value: terms[0]!.add(terms[1]!), weight: 1 } };
    return { embeddings: {}, perPair, maps: shown, memory };
  }

  /**
   * Embeds the images, in one forward pass for both modalities where they share an encoder.
   *
   * @returns also the first encoder's last map
   */
  #embed(images: Tensor, count: number, record?: boolean): { embeddings: [Tensor, Tensor]; map: Tensor } {
    const [first, second] = this.#encoders;
    const options = { training: true, record };
    if (first === second) {
      const { embedding, maps } = first.forward(images, options);
      return { embeddings: [viewPart(embedding, 0, count), viewPart(embedding, 1, count)], map: maps[4]! };
    }
    const [a, b] = [first, second].map((encoder, m) => encoder.forward(viewPart(images, m, count), options));
    return { embeddings: [a!.embedding, b!.embedding], map: a!.maps[4]! };
  }

  loss(embeddings: Readonly<Record<string, Tensor>>, { rows }: Pairs): Readonly<Record<string, Term>> {
    const { tau, mask } = this.#options;
    const exclude = batchMask(mask, rows, this.#context.subjects, this.#context.device);
    const { a, b } = embeddings as { a: Tensor; b: Tensor };
    const value = infoNce(a, b, { tau, exclude }).add(infoNce(b, a, { tau, exclude }));
    return { contrast: { value, weight: 1 } };
  }

  chance(_: Forward, pairs: number): Readonly<Record<string, number>> {
    const [a, b] = this.#banks;
    return { contrast: this.comparesBatch ? 2 * Math.log(pairs) : a!.chance + b!.chance };
  }

  afterStep(memory: Readonly<Record<string, Tensor>>, { rows }: Pairs): void {
    this.#context.modalities.forEach((modality, m) => {
      this.#banks[m]?.remember(rows, memory[`feature.${modality}`]!, memory[`estimate.${m}`]);
    });
  }

  encoderFor(modality: string): Encoder {
    return this.#encoders[modality === this.#context.modalities[1] ? 1 : 0];
  }

  dispose(): void {
    for (const encoder of new Set(this.#encoders)) disposeModule(encoder);
    for (const bank of this.#banks) bank.dispose();
  }
}
