/** Writes the weights of an encoder to a file, and starts an encoder from one. */
import { DataError } from '../errors.js';
import { type Encoder, loadState, stateDict } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { fitTransformer, lookAlike, ownNames, type Weights } from './publicWeights.js';
import { readSafetensors } from './safetensors.js';
import { saveState, toTensors } from './stateFile.js';
import { isTorchFile, readBytes, readTorchFile } from './torchFile.js';

/** Writes an encoder's weights with torchvision's `features.*` names, plus `head.*`, and a digest of them. */
export function exportEncoder(
  path: string,
  encoder: Encoder,
  metadata: Readonly<Record<string, string>> = {},
): void {
  saveState(path, stateDict(encoder), { format: 'pt', ...metadata }, { vouch: true });
}

export interface ImportOptions {
  /** The treatment of a head of another shape. Default `refuse`. */
  otherHead?: 'refuse' | 'leave out';
  /**
   * The run's `data.normalize`, what public weights of the backbone expect, and what a file of ours says of itself; a
   * message tells where they differ.
   */
  normalization?: { readonly given: string; readonly expected: string; readonly own?: string };
  /** Receives messages: what was left out, and what the weights expect. */
  onWarning?: (message: string) => void;
}

/**
 * Starts an encoder from a file: our own, or public weights of torchvision, timm, DINO or MAE, as safetensors or as
 * torch.save writes them, whose classifiers are left out, also under a prefix such as `module.`. Nothing of a file is
 * run. A head that is not in the file keeps its initial weights.
 * @returns the names taken
 * @throws DataError when nothing in the file fits, or a shape does not
 */
export function importEncoder(
  path: string,
  encoder: Encoder,
  { otherHead = 'refuse', normalization, onWarning }: ImportOptions = {},
): string[] {
  const { backbone } = encoder;
  const { state, ours } = readWeights(path);
  const made: Tensor[] = [];
  try {
    const own = stateDict(encoder);
    const { weights: chosen, unused } = ownNames(state, { backbone, ours });
    const looks = lookAlike(chosen, own);
    const hint = looks === undefined ? '' : `. ${looks}`;
    const isVit = chosen.has('patch_embed.proj.weight') && own.has('pos_embed');
    if (isVit && sameShape(own, chosen, 'patch_embed.proj.weight')) {
      made.push(...fitTransformer(path, chosen, gridOf(own.get('pos_embed')!)));
    }
    const misfit = otherHead === 'leave out' ? headMisfit(own, chosen) : undefined;
    if (misfit !== undefined) {
      for (const name of [...chosen.keys()].filter(isHead)) chosen.delete(name);
      onWarning?.(
        `${path}: its head does not fit (${misfit}) and is left out; the encoder keeps its initial head`,
      );
    }
    const names = [...own.keys()].filter((name) => !isHead(name));
    // Old torchvision files lack the counters of batch norm.
    const missing = names.filter((name) => !chosen.has(name) && !name.endsWith('num_batches_tracked'));
    if (missing.length > 0) {
      const found = [...state.keys()].slice(0, 3).join(', ');
      throw new DataError(
        `${path}: has no ${missing[0]} (${missing.length} of ${names.length} backbone tensors are missing; it holds ${found}, …). Expected the names of ${backbone.name}, such as ${names[0]}${hint}`,
      );
    }
    // A further layer of the backbone makes another network; what else there is has no part in it.
    const rooms = new Set(names.map((name) => name.split('.')[0]));
    for (const name of chosen.keys()) {
      if (own.has(name) || isHead(name) || rooms.has(name.split('.')[0])) continue;
      chosen.delete(name);
      unused.push(name);
    }
    try {
      loadState(encoder, chosen, { partial: true });
    } catch (error) {
      throw new DataError(`${path}: ${(error as Error).message}${hint}`);
    }
    if (unused.length > 0) {
      const more = unused.length > 3 ? ', …' : '';
      onWarning?.(
        `${path}: ${unused.length} of its ${state.size} tensors have no part in ${backbone.name} and are left out: ${unused.slice(0, 3).join(', ')}${more}`,
      );
    }
    const wanted = ours ? normalization?.own : normalization?.expected;
    if (wanted !== undefined && wanted !== normalization!.given) {
      const whose = ours ? 'was trained with' : `public weights of ${backbone.name} expect`;
      const unless = ours ? '' : ', unless these were trained otherwise';
      onWarning?.(
        `${path}: ${whose} data.normalize=${wanted}, and it is ${normalization!.given}; give --set data.normalize=${wanted}${unless}`,
      );
    }
    return [...chosen.keys()];
  } finally {
    for (const value of [...state.values(), ...made]) value.dispose();
  }
}

/** Reads the tensors of a file, and whether it is one of ours. */
function readWeights(path: string): { state: Map<string, Tensor>; ours: boolean } {
  if (isTorchFile(readBytes(path, 4))) {
    return { state: toTensors(path, readTorchFile(path, readBytes(path))), ours: false };
  }
  const { tensors, vouched } = readSafetensors(path);
  return { state: toTensors(path, tensors), ours: vouched };
}

const sameShape = (own: Weights, other: Weights, name: string): boolean =>
  own.get(name)?.shape.join() === other.get(name)?.shape.join();

/** The patches along a side. @param positions [1, 1 + n², C] */
const gridOf = (positions: Tensor): number => Math.sqrt(positions.size(1) - 1);

const isHead = (name: string): boolean => name.startsWith('head.');

/** Input size, head input and embedding size all change the head's shape; the backbone's depends on none of them. */
function headMisfit(
  own: ReadonlyMap<string, Tensor>,
  found: ReadonlyMap<string, Tensor>,
): string | undefined {
  for (const [name, { shape }] of own) {
    const other = found.get(name)?.shape;
    if (isHead(name) && other !== undefined && other.join() !== shape.join()) {
      return `${name} has shape [${other}], expected [${shape}]`;
    }
  }
  return undefined;
}
