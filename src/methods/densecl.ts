/**
 * DenseCL (Wang et al. 2021) on pairs: the query comes from one modality and the key from the other, and the other way
 * round. Beside the global contrast, each patch of the query is contrasted with the patch of the key that resembles it
 * most. The source also shuffles batch norm over several machines; here there is one machine and no shuffling.
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
import { defineMethod, type MethodContext } from './definition.js';
import { memoryMask } from './falseNegatives.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Views } from './method.js';
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
  /** The embedding of each image, [2B, d]. */
  readonly embedding: Tensor;
  /** The last map, [2B, C, P]. */
  readonly patches: Tensor;
  /** The embedding of each patch, [2B, d, P]. */
  readonly dense: Tensor;
}

/** The outputs of one of the two networks. */
interface Looked extends Compared {
  readonly map: Tensor;
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
    const { makeEncoder, subjects, seed, device } = context;
    this.#options = options;
    this.#context = context;
    const network = () => {
      const encoder = makeEncoder();
      const head = placeModule(new DenseHead(encoder.backbone.channels.at(-1)!, denseSize, seed), device);
      return { encoder, head };
    };
    this.#query = network();
    this.#key = network();
    const images = 2 * subjects.length;
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

  forward({ images, pairs }: Views, { record }: RecordOptions = {}): Forward {
    const { lambda } = this.#options;
    const count = pairs.ids.length;
    const queries = look(this.#query, images, record);
    const keys = noGrad(() => look(this.#key, images, record));
    const { key, dense } = this.#contrast(queries, swapped(keys, count), pairs);
    const pooled = keys.dense.mean([2]);
    const part = (x: Tensor, m: number): Tensor => viewPart(x, m, count).detach();
    return {
      embeddings: {},
      perPair: {
        key: { value: key, weight: 1 - lambda },
        dense: { value: dense, weight: lambda },
      },
      maps: { map4: queries.map },
      memory: {
        globalA: part(keys.embedding, 0),
        globalB: part(keys.embedding, 1),
        denseA: part(pooled, 0),
        denseB: part(pooled, 1),
      },
    };
  }

  #contrast(queries: Compared, keys: Compared, pairs: Pairs): { key: Tensor; dense: Tensor } {
    const { tau, correspondence } = this.#options;
    const exclude = this.#excluded(pairs);
    const match =
      correspondence === 'features'
        ? denseCorrespondence(queries.patches, keys.patches)
        : inPlace(queries.patches);
    return {
      key: queueContrast(queries.embedding, keys.embedding, this.#globalKeys.keys, { tau, exclude }),
      dense: denseContrast(queries.dense, keys.dense, match, this.#denseKeys.keys, { tau, exclude }),
    };
  }

  /** Marks the keys in the queues that are no negatives of the queries, bool [2B, Q]. */
  #excluded({ rows }: Pairs): Tensor | undefined {
    if (this.#numbers === undefined) return undefined;
    const { tags } = this.#globalKeys;
    const { device } = this.#context;
    const own = ops.indexSelect(
      this.#numbers,
      0,
      tensor([...rows, ...rows], [2 * rows.length], { dtype: 'i64', device }),
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

  afterStep(memory: Readonly<Record<string, Tensor>>, { rows }: Pairs): void {
    momentumUpdate(trained(this.#key), trained(this.#query), this.#options.momentum);
    for (const modality of ['A', 'B']) {
      this.#globalKeys.enqueue(memory[`global${modality}`]!, rows);
      this.#denseKeys.enqueue(memory[`dense${modality}`]!, rows);
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

/** Matches each position with itself, i64 [B, P]. */
function inPlace(patches: Tensor): Tensor {
  const [batch, , positions] = patches.shape as [number, number, number];
  return ops.expand(ops.unsqueeze(ops.arange(positions, 'i64', null, patches.device), 0), [batch, positions]);
}
