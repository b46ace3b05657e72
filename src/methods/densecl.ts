/**
 * DenseCL (Wang et al. 2021) on pairs: the query comes from one modality and the key from the other, and the other way
 * round. With more than two modalities that holds for every pair of them. Beside the global contrast, each patch of the
 * query is contrasted with the patch of the key that resembles it most. The source also shuffles batch norm over its
 * GPUs, which is left out here.
 */
import { z } from 'zod';
import { KeyQueue, momentumUpdate } from '../banks/index.js';
import { denseContrast, denseCorrespondence, pairsEqual, queueContrast } from '../losses/index.js';
import {
  disposeModule,
  type Encoder,
  type EncoderOutput,
  Linear,
  type Module,
  namedParameters,
  placeModule,
  stateDict,
} from '../nn/index.js';
import { noGrad, ops, Random, type Tensor, tensor } from '../tensor/index.js';
import { defineMethod, hasPair, type MethodContext, requirePairs } from './definition.js';
import { memoryMask } from './falseNegatives.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Views } from './method.js';
import { imagesOf, matedPairs, ofPresent, pairsPerSample, takeRows } from './presence.js';
import { makeViews, viewPart } from './views.js';

const schema = z.strictObject({
  name: z.literal('densecl'),
  lambda: z.number().min(0).max(1).describe('Share of the dense loss, λ.'),
  tau: z.number().positive().describe('Temperature τ of both losses.'),
  momentum: z.number().min(0).max(1).describe('Of the key encoder, in every step.'),
  queueSize: z
    .int()
    .min(1)
    .nullable()
    .describe('Keys remembered, never more than there are images; null: that many, up to 65,536.'),
  correspondence: z
    .enum(['features', 'grid'])
    .describe(
      'The key patch of a query patch: the most similar one, or, as pairs are aligned, that in the same place.',
    ),
  denseSize: z.int().min(1).describe('Length of a patch’s embedding.'),
  pairsPerSample,
  mask: memoryMask,
});

type DenseClOptions = z.infer<typeof schema>;

const LARGEST_QUEUE = 65_536;

export const densecl = defineMethod({
  name: 'densecl',
  summary:
    'dense contrast of corresponding patches with momentum encoder and queues (DenseCL, Wang et al. 2021)',
  schema,
  // The defaults are those of the source, but for two. The momentum is the 0.99 of MoCo's own demo on small images:
  // 0.999 remembers a thousand steps, which is more than a small set is trained for. The mask is ours: a queue as long
  // as the data holds the query's own old keys.
  defaults: {
    name: 'densecl',
    lambda: 0.5,
    tau: 0.2,
    momentum: 0.99,
    queueSize: null,
    correspondence: 'features',
    denseSize: 128,
    mask: 'sample',
  },
  learnsFrom: (_, has) => hasPair(has),
  create: (options, context) => new DenseCl(options, context),
});

/** Embeds patches by two 1×1 convolutions with a ReLU between them, as linear layers over the channels. */
class DenseHead implements Module {
  readonly children: { readonly 0: Linear; readonly 2: Linear };

  constructor(channels: number, size: number, seed: number) {
    this.children = {
      0: new Linear(channels, channels, new Random(seed, 'init', 'dense', 0)),
      2: new Linear(channels, size, new Random(seed, 'init', 'dense', 2)),
    };
  }

  /** Embeds the patches. @param patches [B, C, P] @returns [B, d, P] */
  forward(patches: Tensor): Tensor {
    const hidden = ops.relu(this.children[0].forward(ops.transpose(patches, 1, 2)));
    return ops.transpose(this.children[2].forward(hidden), 1, 2);
  }
}

/** The tensors of all images that are compared. */
interface Compared {
  /** The embedding of each image, [n, d]. */
  readonly embedding: Tensor;
  /** The last map, [n, C, P]. */
  readonly patches: Tensor;
  /** The embedding of each patch, [n, d, P]. */
  readonly dense: Tensor;
}

/** The outputs of one of the two networks. */
interface Looked extends Compared {
  readonly map: Tensor;
}

/** The queries of a batch and the key of each, in both directions of every pair of modalities. */
interface Matches {
  /** The rows of the queries and of their keys among all images of the batch. */
  readonly queries: readonly number[];
  readonly keys: readonly number[];
  /** The sample of each query, as the row in which memories keep it. */
  readonly samples: readonly number[];
  /** Whether the queries are all images in order, and the keys those of the other of two modalities. */
  readonly swapped: boolean;
}

class DenseCl implements Method {
  readonly name = 'densecl';
  readonly comparesBatch = false;
  readonly #options: DenseClOptions;
  readonly #context: MethodContext;
  /** The network that is trained, and the slow one that makes the keys. */
  readonly #query: { readonly encoder: Encoder; readonly head: DenseHead };
  readonly #key: { readonly encoder: Encoder; readonly head: DenseHead };
  readonly #globalKeys: KeyQueue;
  readonly #denseKeys: KeyQueue;
  /** The number of the pair, or of its subject, for each pair, i64 [n]; undefined where nothing is masked. */
  readonly #numbers: Tensor | undefined;

  constructor(options: DenseClOptions, context: MethodContext) {
    const { denseSize, queueSize, mask } = options;
    const { makeEncoder, modalities, subjects, present, seed, device } = context;
    requirePairs('densecl', context);
    this.#options = options;
    this.#context = context;
    const network = () => {
      const encoder = makeEncoder();
      const head = placeModule(new DenseHead(encoder.backbone.channels.at(-1)!, denseSize, seed), device);
      return { encoder, head };
    };
    this.#query = network();
    this.#key = network();
    const images = modalities.reduce((sum, m) => sum + (present?.[m]?.length ?? subjects.length), 0);
    const size = Math.min(queueSize ?? LARGEST_QUEUE, images);
    const dimension = this.#query.encoder.embeddingSize;
    this.#globalKeys = new KeyQueue({ size, dimension, seed, name: 'queue.global', device });
    this.#denseKeys = new KeyQueue({ size, dimension: denseSize, seed, name: 'queue.dense', device });
    const numbers = mask === 'subject' ? subjects : subjects.map((_, row) => row);
    this.#numbers =
      mask === 'none' ? undefined : tensor([...numbers], [numbers.length], { dtype: 'i64', device });
  }

  parameters(): ReadonlyMap<string, Tensor> {
    return trained(this.#query);
  }

  state(): ReadonlyMap<string, Tensor> {
    const { encoder, head } = this.#query;
    return new Map([
      ...stateDict(encoder),
      ...stateDict(head, 'dense.'),
      ...stateDict(this.#key.encoder, 'key.'),
      ...stateDict(this.#key.head, 'key.dense.'),
      ...this.#globalKeys.state(),
      ...this.#denseKeys.state(),
    ]);
  }

  views(batch: Batch): Views {
    const specs = this.#context.modalities.map((modality) => ({ modality, look: 0 }));
    return makeViews(batch, specs, this.#context);
  }

  /** Counts the queries. */
  perPairCount(pairs: Pairs): number {
    return this.#matches(pairs).queries.length;
  }

  #matches(pairs: Pairs): Matches {
    const { modalities, seed } = this.#context;
    const mated = matedPairs(pairs, { modalities, seed, pairsPerSample: this.#options.pairsPerSample });
    let images = 0;
    const start = new Map<string, number>();
    for (const modality of modalities) {
      start.set(modality, images);
      images += imagesOf(pairs, modality);
    }
    const directed = mated.flatMap(({ first, second, positions, rows: [there, back] }) => {
      const samples = positions?.map((position) => pairs.rows[position]!) ?? pairs.rows;
      const stacked = (modality: string, rows: readonly number[] | undefined) =>
        samples.map((_, i) => start.get(modality)! + (rows?.[i] ?? i));
      const [a, b] = [stacked(first, there), stacked(second, back)];
      return [
        { queries: a, keys: b, samples },
        { queries: b, keys: a, samples },
      ];
    });
    return {
      queries: directed.flatMap(({ queries }) => queries),
      keys: directed.flatMap(({ keys }) => keys),
      samples: directed.flatMap(({ samples }) => samples),
      swapped: modalities.length === 2 && pairs.present === undefined,
    };
  }

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { lambda } = this.#options;
    const { pairs } = views;
    const { modalities } = this.#context;
    const queries = look(this.#query, views.images, record);
    const keys = noGrad(() => look(this.#key, views.images, record));
    const { key, dense } = this.#contrast(queries, keys, pairs);
    const pooled = keys.dense.mean([2]);
    const parts = modalities.flatMap((modality, m) => [
      [`global.${modality}`, viewPart(keys.embedding, views, m).detach()] as const,
      [`dense.${modality}`, viewPart(pooled, views, m).detach()] as const,
    ]);
    return {
      embeddings: {},
      perPair: {
        key: { value: key, weight: 1 - lambda },
        dense: { value: dense, weight: lambda },
      },
      maps: { map4: queries.map },
      memory: Object.fromEntries(parts),
    };
  }

  #contrast(allQueries: Compared, allKeys: Compared, pairs: Pairs): { key: Tensor; dense: Tensor } {
    const { tau, correspondence } = this.#options;
    const matches = this.#matches(pairs);
    if (matches.queries.length === 0) {
      const nothing = allQueries.embedding.sum().add(allQueries.dense.sum()).mul(0);
      return { key: nothing, dense: nothing };
    }
    const queries = matches.swapped ? allQueries : chosen(allQueries, matches.queries);
    const keys = matches.swapped ? swapped(allKeys, pairs.ids.length) : chosen(allKeys, matches.keys);
    const exclude = this.#excluded(matches.samples);
    const match =
      correspondence === 'features'
        ? denseCorrespondence(queries.patches, keys.patches)
        : inPlace(queries.patches);
    return {
      key: queueContrast(queries.embedding, keys.embedding, this.#globalKeys.keys, { tau, exclude }),
      dense: denseContrast(queries.dense, keys.dense, match, this.#denseKeys.keys, { tau, exclude }),
    };
  }

  /** Marks the keys in the queues that are no negatives of the queries, bool [queries, Q]. */
  #excluded(samples: readonly number[]): Tensor | undefined {
    if (this.#numbers === undefined) return undefined;
    const { tags } = this.#globalKeys;
    const { device } = this.#context;
    const own = ops.indexSelect(
      this.#numbers,
      0,
      tensor([...samples], [samples.length], { dtype: 'i64', device }),
    );
    // The first keys of a queue are noise of no sample, with the tag −1.
    const theirs = ops.indexSelect(this.#numbers, 0, ops.clampMin(tags, 0));
    return ops.logicalAnd(pairsEqual(own, theirs), ops.geScalar(tags, 0));
  }

  /** The chance level of the queues, at which all keys and the positive are equally likely. */
  chance(): Readonly<Record<string, number>> {
    const chance = Math.log(this.#globalKeys.keys.size(0) + 1);
    return { key: chance, dense: chance };
  }

  afterStep(memory: Readonly<Record<string, Tensor>>, pairs: Pairs): void {
    momentumUpdate(trained(this.#key), trained(this.#query), this.#options.momentum);
    for (const modality of this.#context.modalities) {
      if (imagesOf(pairs, modality) === 0) continue;
      const rows = ofPresent(pairs.rows, pairs, modality);
      this.#globalKeys.enqueue(memory[`global.${modality}`]!, rows);
      this.#denseKeys.enqueue(memory[`dense.${modality}`]!, rows);
    }
  }

  encoderFor(): Encoder {
    return this.#query.encoder;
  }

  dispose(): void {
    for (const { encoder, head } of [this.#query, this.#key]) {
      disposeModule(encoder);
      disposeModule(head);
    }
    this.#globalKeys.dispose();
    this.#denseKeys.dispose();
    this.#numbers?.dispose();
  }
}

function trained({ encoder, head }: { encoder: Encoder; head: DenseHead }): Map<string, Tensor> {
  return new Map([...namedParameters(encoder), ...namedParameters(head, 'dense.')]);
}

function look(
  { encoder, head }: { encoder: Encoder; head: DenseHead },
  images: Tensor,
  record?: boolean,
): Looked {
  const { embedding, maps }: EncoderOutput = encoder.forward(images, { training: true, record });
  const map = maps.at(-1)!;
  const patches = ops.flatten(map, 2, 3);
  return { embedding, patches, dense: head.forward(patches), map };
}

/** Exchanges the modalities, so that the queries of A meet the keys of B, and the other way round. */
function swapped({ embedding, patches, dense }: Compared, pairs: number): Compared {
  const swap = (x: Tensor): Tensor => ops.roll(x, [pairs], [0]);
  return { embedding: swap(embedding), patches: swap(patches), dense: swap(dense) };
}

/** Takes some of the images. */
function chosen({ embedding, patches, dense }: Compared, rows: readonly number[]): Compared {
  return {
    embedding: takeRows(embedding, rows),
    patches: takeRows(patches, rows),
    dense: takeRows(dense, rows),
  };
}

/** Matches each position with itself, i64 [B, P]. */
function inPlace(patches: Tensor): Tensor {
  const [batch, , positions] = patches.shape as [number, number, number];
  return ops.expand(ops.unsqueeze(ops.arange(positions, 'i64', null, patches.device), 0), [batch, positions]);
}
