/** Brings the weights of other programs into the form of ours: names, classifiers, and what a ViT has otherwise. */
import { DataError } from '../errors.js';
import { type Backbone, recognizeBackbone } from '../nn/index.js';
import { noGrad, ops, type Tensor, tidy } from '../tensor/index.js';

/** The tensors of a file by name. */
export type Weights = ReadonlyMap<string, Tensor>;

/**
 * What wrappers of other programs put before the names of the network inside, and a name of the first layer. MoCo's and
 * DINO's slow copies are not among them, as the network beside them is meant.
 */
const WRAPPED =
  /^((?:(?:module|model|backbone|encoder|base_encoder|encoder_q|teacher|student|net|network|trunk)\.)+)(?:features\.0|conv1|patch_embed\.proj)\.weight$/;

/** The names of classifiers: torchvision's, timm's, and the heads of DINO and of a ViT. */
const CLASSIFIER = /^(classifier|fc|pre_logits|head\.fc|head|head_dist)\./;
/** Those in a file of ours, whose `head.*` is the head. */
const NOT_OUR_HEAD = /^(classifier|fc|pre_logits|head\.fc)\./;

/**
 * Takes off the one prefix that all tensors of the backbone share, and leaves out classifiers. Names under several
 * prefixes stay as they are, as nothing tells which of the networks is meant.
 * @param backbone for a ViT, whose classifier timm calls `head`, as we call ours
 * @param ours whether the file is one of ours
 * @returns the tensors to take, and the names of what is left out beside classifiers
 */
export function ownNames(
  state: Weights,
  { backbone, ours }: { backbone: Backbone; ours: boolean },
): { weights: Map<string, Tensor>; unused: string[] } {
  const names = [...state.keys()];
  const prefixes = new Set(names.flatMap((name) => WRAPPED.exec(name)?.[1] ?? []));
  const bare = names.some((name) => /^(features\.0|conv1|patch_embed\.proj)\.weight$/.test(name));
  const [prefix = ''] = bare || prefixes.size > 1 ? [] : prefixes;
  const classifier = backbone.layerNorm && !ours ? CLASSIFIER : NOT_OUR_HEAD;
  const weights = new Map<string, Tensor>();
  const unused: string[] = [];
  for (const [name, value] of state) {
    if (!name.startsWith(prefix)) unused.push(name);
    else if (!classifier.test(name.slice(prefix.length))) weights.set(name.slice(prefix.length), value);
  }
  return { weights, unused };
}

/**
 * Words what the weights look like, for the message that they do not fit; undefined where that is not known, or where
 * they look like the network itself.
 */
export function lookAlike(weights: Weights, own: Weights): string | undefined {
  const shapesOf = (tensors: Weights) => new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  const shapes = shapesOf(weights);
  const [known, wanted] = [shapes, shapesOf(own)].map(recognizeBackbone);
  if (known !== undefined) {
    if (known.name === wanted?.name && known.width === wanted.width) return undefined;
    return `This looks like ${known.name}; set model.backbone=${known.name} model.width=${known.width}`;
  }
  const patches = shapes.get('patch_embed.proj.weight');
  if (patches?.length === 4 && patches[2] !== 16) {
    return `This looks like a ViT with patches of ${patches[2]} pixels${patches[2] === 14 ? ', as DINOv2’s are' : ''}; vit_s16 and vit_b16 have patches of 16: take weights such as DINO’s, MAE’s, DeiT’s or timm’s …_patch16_…`;
  }
  if (patches !== undefined)
    return `This looks like a ViT of width ${patches[0]}; vit_s16 has 384, vit_b16 768`;
  if (shapes.has('layer1.0.conv1.weight')) return 'This looks like another ResNet than resnet18 and resnet50';
  return shapes.has('features.0.weight') ? 'This looks like another network than VGG16' : undefined;
}

/**
 * Makes a ViT's weights fit the run: position embeddings are interpolated to its grid of patches, a layer scale
 * (`ls1.gamma`, DeiT III) becomes part of the layer before it, which is the same function, and a class token that was
 * added after the position embeddings gets one of zeros.
 * @param grid the patches along a side of the run's images
 * @returns new tensors in place of those changed; the caller frees them
 * @throws DataError where the transformer is of another kind
 */
export function fitTransformer(path: string, weights: Map<string, Tensor>, grid: number): Tensor[] {
  const registers = [...weights.keys()].find((name) =>
    /^(reg_token|register_tokens|storage_tokens)$/.test(name),
  );
  if (registers !== undefined) {
    throw new DataError(
      `${path}: has ${registers}, tokens that vit_s16 and vit_b16 do not have; take weights without registers, such as DINO’s, MAE’s, DeiT’s or timm’s …_patch16_224`,
    );
  }
  const positions = weights.get('pos_embed');
  if (positions === undefined) {
    throw new DataError(
      `${path}: has no pos_embed: a ViT with rotary or without position embeddings, such as DINOv3’s; vit_s16 and vit_b16 have learned ones, as DINO, MAE, DeiT and timm’s …_patch16_224`,
    );
  }
  const made: Tensor[] = [];
  const replace = (name: string, make: () => Tensor) => {
    const fitted = noGrad(() => tidy(make));
    made.push(fitted);
    weights.set(name, fitted);
  };
  replace('pos_embed', () => positionsFor(path, positions, grid));
  for (const [name, gamma] of [...weights]) {
    const [, block, number] = /^(blocks\.\d+\.)ls([12])\.gamma$/.exec(name) ?? [];
    if (block === undefined) continue;
    weights.delete(name);
    const layer = `${block}${number === '1' ? 'attn.proj' : 'mlp.fc2'}`;
    const [weight, bias] = [weights.get(`${layer}.weight`), weights.get(`${layer}.bias`)];
    if (weight === undefined || bias === undefined) continue; // What is missing is told for the whole file.
    replace(`${layer}.weight`, () => weight.mul(ops.unsqueeze(gamma, 1)));
    replace(`${layer}.bias`, () => bias.mul(gamma));
  }
  return made;
}

/**
 * Interpolates position embeddings to another grid as timm's `resample_abs_pos_embed` does: bicubic with antialiasing,
 * the class token's as it is.
 * @param positions [1, 1 + n², C], or [1, n², C] without a class token's
 * @returns [1, 1 + grid², C]
 */
export function positionsFor(path: string, positions: Tensor, grid: number): Tensor {
  const [one, count, channels] = positions.shape;
  const side = (tokens: number) => Math.sqrt(tokens);
  const prefix = [1, 0].find((tokens) => count! > tokens && Number.isInteger(side(count! - tokens)));
  if (positions.shape.length !== 3 || one !== 1 || prefix === undefined) {
    throw new DataError(
      `${path}: pos_embed has shape [${positions.shape}], expected [1, 1 + n², C] for a square grid of patches and a class token`,
    );
  }
  const from = side(count! - prefix);
  const ofPatches = positions.narrow(1, prefix, from * from);
  const token =
    prefix === 1
      ? positions.narrow(1, 0, 1)
      : ops.full([1, 1, channels!], 0, positions.dtype, null, positions.device);
  if (from === grid) return ops.cat([token, ofPatches], 1);
  const map = ops.reshape(ops.transpose(ofPatches, 1, 2), [1, channels!, from, from]);
  const moved = ops.upsampleBicubic2dAntialiased(map, [grid, grid], false);
  return ops.cat([token, ops.transpose(ops.flatten(moved, 2, 3), 1, 2)], 1);
}
