/**
 * DeCUR (Wang et al. 2024) on pairs: Barlow Twins between two augmented views of each modality, and between the
 * modalities for the components that they have in common, while the others are kept unrelated. With more modalities the
 * first part runs over all images, and the second over all pairs of images that a sample has; with one modality the
 * first is all. The source has an encoder for each modality. Here all share one, and its head is the first layer of
 * every projector, so that the head is trained too.
 */
import { z } from 'zod';
import { DECUR_WEIGHTS, decurChance, decurTerms } from '../losses/index.js';
import {
  BatchNorm,
  disposeModule,
  LinearWithoutBias,
  type Module,
  namedParameters,
  placeModule,
  stateDict,
} from '../nn/index.js';
import { ops, Random, type Tensor } from '../tensor/index.js';
import { defineMethod, type MethodContext } from './definition.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Term, ViewSpec, Views } from './method.js';
import { imagesOf, indexOf, type MatedPair, matedPairs, pairsPerSample } from './presence.js';
import { SharedEncoder } from './sharedEncoder.js';
import { makeViews, viewPart } from './views.js';

const schema = z
  .strictObject({
    name: z.literal('decur'),
    common: z
      .number()
      .min(0)
      .max(1)
      .describe('Share of the components that the modalities have in common; the rest is unique to each.'),
    lambda: z.number().min(0).describe('Weight λ of the correlations between different components.'),
    projector: z
      .array(z.int().min(1))
      .min(1)
      .describe('Widths of the layers from the encoder’s head to what is compared, for each modality.'),
    pairsPerSample,
  })
  .refine(
    ({ common, projector }) => {
      const width = projector.at(-1) ?? 0;
      const size = commonOf(common, width);
      // What is no width or no share is refused by itself.
      return width < 1 || common <= 0 || common >= 1 || (size > 0 && size < width);
    },
    {
      path: ['common'],
      message:
        'expected 0, 1 or a share that makes at least one of the components common and one unique; their number is the last of method.projector',
    },
  );

type DecurOptions = z.infer<typeof schema>;

export const decur = defineMethod({
  name: 'decur',
  summary:
    'common and unique components by Barlow Twins within and between modalities (DeCUR, Wang et al. 2024)',
  schema,
  // The source has common shares of 0.75 (elevation and depth beside colour) and 0.875 (radar beside optical). Its
  // projector has three layers of 8192, for a quarter of a million pairs in batches of 512. Ours are as wide as the
  // head, which is the first of three.
  defaults: { name: 'decur', common: 0.75, lambda: 0.0051, projector: [512, 512] },
  create: (options, context) => new Decur(options, context),
});

/** The number of common components. */
function commonOf(share: number, components: number): number {
  return Math.round(share * components);
}

class Decur extends SharedEncoder implements Method {
  readonly name = 'decur';
  readonly comparesBatch = true;
  readonly #options: DecurOptions;
  readonly #specs: readonly ViewSpec[];
  /** The projector of each modality, by its name. */
  readonly #projectors: { readonly children: Readonly<Record<string, Projector>> };

  constructor(options: DecurOptions, context: MethodContext) {
    super(context);
    const { modalities, seed, device } = context;
    this.#options = options;
    // Both looks at a modality stand side by side, as one projector takes them.
    this.#specs = modalities.flatMap((modality) => LOOKS.map((look) => ({ modality, look })));
    const sizes = [this.encoder.embeddingSize, ...options.projector];
    const projectors = modalities.map((modality) => {
      return [
        modality,
        new Projector(sizes, (layer) => new Random(seed, 'init', 'projector', modality, layer)),
      ];
    });
    this.#projectors = placeModule({ children: Object.fromEntries(projectors) }, device);
  }

  override parameters(): ReadonlyMap<string, Tensor> {
    return new Map([...super.parameters(), ...namedParameters(this.#projectors, 'projector.')]);
  }

  override state(): ReadonlyMap<string, Tensor> {
    return new Map([...super.state(), ...stateDict(this.#projectors, 'projector.')]);
  }

  override dispose(): void {
    super.dispose();
    disposeModule(this.#projectors);
  }

  views(batch: Batch): Views {
    return makeViews(batch, this.#specs, this.context);
  }

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { maps, embedding } = this.encoder.forward(views.images, { training: true, record });
    const embeddings = this.context.modalities.flatMap((modality, m) => {
      const count = imagesOf(views.pairs, modality);
      const looks = LOOKS.map((look) => viewPart(embedding, views, LOOKS.length * m + look));
      // Both views in one pass, so that batch norm never sees a single row.
      const z = this.#projectors.children[modality]!.forward(ops.cat(looks, 0), record);
      return LOOKS.map((look) => [viewName(modality, look), z.narrow(0, look * count, count)] as const);
    });
    return {
      embeddings: Object.fromEntries(embeddings),
      perPair: {},
      maps: { map4: maps[4]! },
      memory: {},
    };
  }

  loss(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>> {
    const { modalities, device } = this.context;
    const terms = decurTerms(
      modalities.map((modality) => {
        return [embeddings[viewName(modality, 0)]!, embeddings[viewName(modality, 1)]!] as const;
      }),
      this.#mated(pairs).map(({ first, second, rows }) => ({
        first: modalities.indexOf(first),
        second: modalities.indexOf(second),
        rows: [rows[0] && indexOf(rows[0], device), rows[1] && indexOf(rows[1], device)] as const,
      })),
      { lambda: this.#options.lambda, common: this.#common },
    );
    // A sample alone trains nothing, but the step needs a graph.
    const nothing = () => ops.cat(Object.values(embeddings), 0).sum().mul(0);
    return Object.fromEntries(
      Object.entries({ ...terms, intra: terms.intra ?? nothing() }).map(([name, value]) => {
        // The loss grows with the components. The source's optimisers do not see its scale, but SGD does.
        return [name, { value, weight: DECUR_WEIGHTS[name as keyof typeof terms] / this.#components }];
      }),
    );
  }

  /** The number of components that are compared. */
  get #components(): number {
    return this.#options.projector.at(-1)!;
  }

  get #common(): number {
    return commonOf(this.#options.common, this.#components);
  }

  #mated(pairs: Pairs): MatedPair[] {
    const { modalities, seed } = this.context;
    return matedPairs(pairs, { modalities, seed, pairsPerSample: this.#options.pairsPerSample });
  }

  /** Computes the mean of each term over all ways of mating the samples; see decurChance. */
  chance(_forward: Forward, part: Pairs, whole: Pairs = part): Readonly<Record<string, number>> {
    const images = this.context.modalities.map((modality) => imagesOf(whole, modality));
    const mated = this.#mated(whole).map(({ count }) => count);
    const { lambda } = this.#options;
    return { ...decurChance(images, mated, { lambda, common: this.#common, components: this.#components }) };
  }
}

/** The two augmented views of each image. */
const LOOKS = [0, 1] as const;

function viewName(modality: string, look: number): string {
  return `${modality}.${look}`;
}

/** Linear layers without bias, with batch norm and a ReLU between them, [n, in] → [n, out]. */
class Projector implements Module {
  readonly children: Readonly<Record<string, Module>>;
  readonly #layers: readonly { readonly linear: LinearWithoutBias; readonly norm: BatchNorm | undefined }[];

  /** @param sizes the width of the input and of each layer @param randomOf the random numbers of a layer, from 0 */
  constructor(sizes: readonly number[], randomOf: (layer: number) => Random) {
    const outputs = sizes.slice(1);
    this.#layers = outputs.map((size, i) => ({
      linear: new LinearWithoutBias(sizes[i]!, size, randomOf(i)),
      norm: i < outputs.length - 1 ? new BatchNorm(size) : undefined,
    }));
    // The numbers count the ReLUs too, as the source's do.
    this.children = Object.fromEntries(
      this.#layers.flatMap(({ linear, norm }, i) => [
        [3 * i, linear],
        ...(norm === undefined ? [] : [[3 * i + 1, norm] as const]),
      ]),
    );
  }

  /** @param record whether batch norm's running statistics move, by default true */
  forward(x: Tensor, record?: boolean): Tensor {
    const normalise = (norm: BatchNorm, y: Tensor) =>
      // No row has no statistics.
      y.size(0) === 0 ? y : norm.forward(y, { training: true, record });
    return this.#layers.reduce((y, { linear, norm }) => {
      const made = linear.forward(y);
      return norm === undefined ? made : ops.relu(normalise(norm, made));
    }, x);
  }
}
