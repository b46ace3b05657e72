/**
 * Supervised training, for comparison: a linear classifier on the embeddings of all modalities side by side,
 * trained with the encoder. An image that a sample lacks counts as an embedding of zeros.
 */
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { crossEntropy } from '../losses/index.js';
import { disposeModule, Linear, namedParameters, placeModule, stateDict } from '../nn/index.js';
import { ops, Random, type Tensor, tensor } from '../tensor/index.js';
import { defineMethod, type MethodContext } from './definition.js';
import type { Batch, Forward, Method, RecordOptions, Views } from './method.js';
import { takeRows } from './presence.js';
import { SharedEncoder } from './sharedEncoder.js';
import { makeViews, viewPart } from './views.js';

const schema = z.strictObject({ name: z.literal('supervised') });

export const supervised = defineMethod({
  name: 'supervised',
  summary: 'cross-entropy on the labels, for comparison; pretrain it with --fold all',
  schema,
  defaults: { name: 'supervised' },
  usesLabels: true,
  create: (_, context) => new Supervised(context),
});

class Supervised extends SharedEncoder implements Method {
  readonly name = 'supervised';
  readonly comparesBatch = false;
  readonly #labels: readonly number[];
  readonly #classifier: Linear;

  /** @throws UsageError when pairs have no label or all have the same */
  constructor(context: MethodContext) {
    const { labels, seed, device } = context;
    if (labels === undefined) {
      throw new UsageError(
        'method supervised needs a label for every pair; name its column with --column label=…',
      );
    }
    const classes = Math.max(...labels) + 1;
    if (classes < 2)
      throw new UsageError('method supervised: all pairs have the same label, expected two classes');
    super(context);
    this.#labels = labels;
    const random = new Random(seed, 'init', 'classifier');
    this.#classifier = placeModule(
      new Linear(context.modalities.length * this.encoder.embeddingSize, classes, random),
      device,
    );
  }

  override parameters(): ReadonlyMap<string, Tensor> {
    return new Map([...super.parameters(), ...namedParameters(this.#classifier, 'classifier.')]);
  }

  override state(): ReadonlyMap<string, Tensor> {
    return new Map([...super.state(), ...stateDict(this.#classifier, 'classifier.')]);
  }

  views(batch: Batch): Views {
    const specs = this.context.modalities.map((modality) => ({ modality, look: 0 }));
    return makeViews(batch, specs, this.context);
  }

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { pairs } = views;
    const { maps, embedding } = this.encoder.forward(views.images, { training: true, record });
    const count = pairs.ids.length;
    const sideBySide = ops.cat(
      this.context.modalities.map((modality, m) => {
        return spread(viewPart(embedding, views, m), pairs.present?.[modality], count);
      }),
      1,
    );
    const labels = pairs.rows.map((row) => this.#labels[row]!);
    const target = tensor(labels, [count], { dtype: 'i64', device: this.context.device });
    return {
      embeddings: {},
      perPair: {
        classification: { value: crossEntropy(this.#classifier.forward(sideBySide), target), weight: 1 },
      },
      maps: { map4: maps[4]! },
      memory: {},
    };
  }

  chance(): Readonly<Record<string, number>> {
    return { classification: Math.log(this.#classifier.parameters.bias.size(0)) };
  }

  override dispose(): void {
    super.dispose();
    disposeModule(this.#classifier);
  }
}

/** Puts rows at their positions among `count` rows, the others zero, [n, d] → [count, d]. */
function spread(x: Tensor, positions: readonly number[] | undefined, count: number): Tensor {
  if (positions === undefined) return x;
  const zero = ops.full([1, x.size(1)], 0, x.dtype, null, x.device);
  const rowAt = new Map(positions.map((position, row) => [position, row]));
  const rows = Array.from({ length: count }, (_, position) => rowAt.get(position) ?? positions.length);
  return takeRows(ops.cat([x, zero], 0), rows);
}
