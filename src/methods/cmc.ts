/**
 * Contrastive multiview coding (Tian et al. 2020), with the modalities as the views: each image finds its mate among the
 * features of the other modality. With more than two modalities every pair of them is compared (the full graph).
 */
import { z } from 'zod';
import { infoNce, meanOverParts } from '../losses/index.js';
import { disposeModule, type Encoder, namedParameters, stateDict } from '../nn/index.js';
import { ops, type Tensor } from '../tensor/index.js';
import { BankContrast, bankDefaults, bankSettings } from './bankContrast.js';
import { defineMethod, hasPair, type MethodContext, requirePairs } from './definition.js';
import { batchMask, subjectMask } from './falseNegatives.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Term, Views } from './method.js';
import { imagesOf, type MatedPair, matedPairs, ofPresent, pairsPerSample, takeRows } from './presence.js';
import { makeViews, viewPart } from './views.js';

const schema = z.strictObject({
  name: z.literal('cmc'),
  encoders: z.enum(['separate', 'shared']).describe('One encoder for each modality, or one for all.'),
  candidates: z
    .enum(['banks', 'batch'])
    .describe('Among what the mate is found: a memory bank for each modality, or the batch.'),
  ...bankSettings,
  pairsPerSample,
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
  learnsFrom: (_, has) => hasPair(has),
  create: (options, context) => new Cmc(options, context),
});

class Cmc implements Method {
  readonly name = 'cmc';
  readonly comparesBatch: boolean;
  readonly #options: CmcOptions;
  readonly #context: MethodContext;
  /** The encoder of each modality; shared, it stands there for each. */
  readonly #encoders: ReadonlyMap<string, Encoder>;
  /** The bank of each modality's features. There are none where the batch holds the candidates. */
  readonly #banks: ReadonlyMap<string, ModalityBank>;

  constructor(options: CmcOptions, context: MethodContext) {
    const { encoders, candidates } = options;
    const { modalities, makeEncoder } = context;
    requirePairs('cmc', context);
    this.#options = options;
    this.#context = context;
    this.comparesBatch = candidates === 'batch';
    const first = makeEncoder();
    this.#encoders = new Map(
      modalities.map((modality, m) => {
        return [modality, m === 0 || encoders === 'shared' ? first : makeEncoder(modality)];
      }),
    );
    const seen = modalities.filter((modality) => context.present?.[modality]?.length !== 0);
    const banked = candidates === 'batch' ? [] : seen;
    this.#banks = new Map(
      banked.map((modality) => [modality, this.#makeBank(modality, first.embeddingSize)]),
    );
  }

  #makeBank(modality: string, dimension: number): ModalityBank {
    const { candidates: _, encoders: __, pairsPerSample: ___, mask, ...settings } = this.#options;
    const { subjects, present, seed, device } = this.#context;
    const owners = present?.[modality] ?? subjects.map((_, row) => row);
    const bank = new BankContrast({
      ...settings,
      name: `bank.${modality}`,
      rows: owners.length,
      dimension,
      numbers: mask === 'subject' ? owners.map((row) => subjects[row]!) : undefined,
      seed,
      device,
    });
    return { bank, rowOf: new Map(owners.map((row, i) => [row, i])) };
  }

  parameters(): ReadonlyMap<string, Tensor> {
    return this.#named(namedParameters);
  }

  state(): ReadonlyMap<string, Tensor> {
    const banks = [...this.#banks.values()].flatMap(({ bank }) => [...bank.state()]);
    return new Map([...this.#named(stateDict), ...banks]);
  }

  /** The tensors by name. Those of further encoders stand under the names of their modalities. */
  #named(tensorsOf: typeof stateDict): Map<string, Tensor> {
    const [first, ...others] = this.#encoders;
    const own = tensorsOf(first![1]);
    if (this.#shared) return own;
    return new Map([
      ...own,
      ...others.flatMap(([modality, encoder]) => [...tensorsOf(encoder, `encoder.${modality}.`)]),
    ]);
  }

  get #shared(): boolean {
    return new Set(this.#encoders.values()).size === 1;
  }

  views(batch: Batch): Views {
    const specs = this.#context.modalities.map((modality) => ({ modality, look: 0 }));
    return makeViews(batch, specs, this.#context);
  }

  /** Counts the pairs of images that are compared. */
  perPairCount(pairs: Pairs): number {
    return this.#mated(pairs).reduce((sum, { count }) => sum + count, 0);
  }

  #mated(pairs: Pairs): MatedPair[] {
    const { modalities, seed } = this.#context;
    return matedPairs(pairs, { modalities, seed, pairsPerSample: this.#options.pairsPerSample });
  }

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { embeddings, map } = this.#embed(views, record);
    const shown = { map4: map };
    if (this.comparesBatch) return { embeddings, perPair: {}, maps: shown, memory: {} };
    const { pairs } = views;
    const { modalities } = this.#context;
    const estimates = new Map(modalities.map((modality) => [modality, [] as Tensor[]]));
    // The features of one modality are compared with the bank of the other, in both directions.
    const compare = (from: string, to: string, { positions, rows }: MatedPair, side: 0 | 1): Tensor => {
      const { bank, rowOf } = this.#banks.get(to)!;
      const samples = positions?.map((position) => pairs.rows[position]!) ?? pairs.rows;
      const bankRows = samples.map((row) => rowOf.get(row)!);
      const { loss, estimate } = bank.compare(takeRows(embeddings[from]!, rows[side]), bankRows, pairs.epoch);
      if (estimate) estimates.get(to)!.push(estimate);
      return loss;
    };
    const value = meanOverParts(
      this.#mated(pairs).map((pair) => {
        const { first, second, count } = pair;
        return { value: compare(first, second, pair, 0).add(compare(second, first, pair, 1)), count };
      }),
    );
    const nothing = () => sumOf(Object.values(embeddings)).mul(0);
    const memory = Object.fromEntries(
      modalities.flatMap((modality) => {
        const own = estimates.get(modality)!;
        const estimate = own.length === 0 ? ops.full([0], 0, 'f64', null, 'cpu') : ops.cat(own, 0);
        return [
          [`feature.${modality}`, embeddings[modality]!.detach()],
          [`estimate.${modality}`, estimate],
        ];
      }),
    );
    const perPair = { contrast: { value: value ?? nothing(), weight: 1 } };
    return { embeddings: {}, perPair, maps: shown, memory };
  }

  /**
   * Embeds the images, in one forward pass for all modalities where they share an encoder.
   *
   * @returns also the last map of the first encoder that had images
   */
  #embed(views: Views, record?: boolean): { embeddings: Record<string, Tensor>; map: Tensor } {
    const { modalities } = this.#context;
    const options = { training: true, record };
    if (this.#shared) {
      const { embedding, maps } = this.encoderFor(modalities[0]!).forward(views.images, options);
      const parts = modalities.map((modality, m) => [modality, viewPart(embedding, views, m)] as const);
      return { embeddings: Object.fromEntries(parts), map: maps[4]! };
    }
    let map: Tensor | undefined;
    const parts = modalities.map((modality, m) => {
      const encoder = this.encoderFor(modality);
      const { device } = this.#context;
      if (imagesOf(views.pairs, modality) === 0) {
        return [modality, ops.full([0, encoder.embeddingSize], 0, 'f32', null, device)] as const;
      }
      const { embedding, maps } = encoder.forward(viewPart(views.images, views, m), options);
      map ??= maps[4]!;
      return [modality, embedding] as const;
    });
    return { embeddings: Object.fromEntries(parts), map: map! };
  }

  loss(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>> {
    const { tau, mask } = this.#options;
    const { subjects, device } = this.#context;
    const value = meanOverParts(
      this.#mated(pairs).map(({ first, second, rows, positions, count }) => {
        const samples = positions?.map((position) => pairs.rows[position]!) ?? pairs.rows;
        const exclude = batchMask(mask, samples, subjects, device);
        const [a, b] = [takeRows(embeddings[first]!, rows[0]), takeRows(embeddings[second]!, rows[1])];
        return { value: infoNce(a, b, { tau, exclude }).add(infoNce(b, a, { tau, exclude })), count };
      }),
    );
    return { contrast: { value: value ?? sumOf(Object.values(embeddings)).mul(0), weight: 1 } };
  }

  chance(_forward: Forward, part: Pairs, whole: Pairs = part): Readonly<Record<string, number>> {
    const mated = this.#mated(whole);
    const total = mated.reduce((sum, { count }) => sum + count, 0);
    const chanceOf = ({ first, second, count }: MatedPair): number =>
      this.comparesBatch
        ? 2 * Math.log(count)
        : this.#banks.get(first)!.bank.chance + this.#banks.get(second)!.bank.chance;
    return { contrast: mated.reduce((sum, pair) => sum + (pair.count / total) * chanceOf(pair), 0) };
  }

  afterStep(memory: Readonly<Record<string, Tensor>>, pairs: Pairs): void {
    for (const [modality, { bank, rowOf }] of this.#banks) {
      const rows = ofPresent(pairs.rows, pairs, modality).map((row) => rowOf.get(row)!);
      const estimate = memory[`estimate.${modality}`]!;
      const features = memory[`feature.${modality}`]!;
      if (rows.length > 0) bank.remember(rows, features, estimate.size(0) === 0 ? undefined : estimate);
    }
  }

  encoderFor(modality: string): Encoder {
    return this.#encoders.get(modality) ?? [...this.#encoders.values()][0]!;
  }

  dispose(): void {
    for (const encoder of new Set(this.#encoders.values())) disposeModule(encoder);
    for (const { bank } of this.#banks.values()) bank.dispose();
  }
}

interface ModalityBank {
  readonly bank: BankContrast;
  /** The row of the bank of each sample that has an image of the modality. */
  readonly rowOf: ReadonlyMap<number, number>;
}

function sumOf(tensors: readonly Tensor[]): Tensor {
  return tensors.map((x) => x.sum()).reduce((sum, x) => sum.add(x));
}
