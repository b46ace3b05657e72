/** Writes the weights of an encoder to a file, and starts an encoder from one. */
import { DataError } from '../errors.js';
import { type Encoder, loadState, stateDict } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { readState, saveState } from './stateFile.js';

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
  /** Receives a message when the head was left out. */
  onWarning?: (message: string) => void;
}

/**
 * Starts an encoder from a file: our own, torchvision's or timm's, whose classifiers are left out, also under a prefix
 * such as `module.`. A head that is not in the file keeps its initial weights.
 * @returns the names taken
 * @throws DataError when nothing in the file fits, or a shape does not
 */
export function importEncoder(
  path: string,
  encoder: Encoder,
  { otherHead = 'refuse', onWarning }: ImportOptions = {},
): string[] {
  const { state } = readState(path);
  try {
    const own = stateDict(encoder);
    const chosen = new Map<string, Tensor>();
    for (const [name, value] of withTorchvisionNames(state))
      if (!name.startsWith('classifier.')) chosen.set(name, value);
    const misfit = otherHead === 'leave out' ? headMisfit(own, chosen) : undefined;
    if (misfit !== undefined) {
      for (const name of [...chosen.keys()].filter(isHead)) chosen.delete(name);
      onWarning?.(
        `${path}: its head does not fit (${misfit}) and is left out; the encoder keeps its initial head`,
      );
    }
    const backbone = [...own.keys()].filter((name) => /(^|\.)features\./.test(name));
    // Old torchvision files lack the counters of batch norm.
    const missing = backbone.filter((name) => !chosen.has(name) && !name.endsWith('num_batches_tracked'));
    if (missing.length > 0) {
      const found = [...state.keys()].slice(0, 3).join(', ');
      throw new DataError(
        `${path}: has no ${missing[0]} (${missing.length} of ${backbone.length} backbone tensors are missing; it holds ${found}, …). Expected torchvision’s names features.* for ${encoder.backbone.name}`,
      );
    }
    try {
      loadState(encoder, chosen, { partial: true });
    } catch (error) {
      throw new DataError(`${path}: ${(error as Error).message}`);
    }
    return [...chosen.keys()];
  } finally {
    for (const value of state.values()) value.dispose();
  }
}

/** What wrappers of other programs put before the names of the network inside. */
const PREFIX = /^((?:(?:module|model|backbone|encoder)\.)+)features\./;

/**
 * Takes off the one prefix that all tensors of the backbone share, and leaves out timm's classifier (`pre_logits.*`,
 * `head.fc.*`), which stands for torchvision's. Names under several prefixes stay as they are, as nothing tells which
 * of the networks is meant.
 */
function withTorchvisionNames(state: ReadonlyMap<string, Tensor>): [string, Tensor][] {
  const prefixes = new Set([...state.keys()].map((name) => PREFIX.exec(name)?.[1] ?? ''));
  const bare = [...state.keys()].some((name) => name.startsWith('features.'));
  const [prefix] = [...prefixes].filter((one) => one !== '');
  const unambiguous = !bare && prefix !== undefined && prefixes.size <= (prefixes.has('') ? 2 : 1);
  const named = [...state].flatMap(([name, value]): [string, Tensor][] => {
    if (!unambiguous) return [[name, value]];
    return name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [];
  });
  return named.filter(([name]) => !/^(pre_logits|head\.fc)\./.test(name));
}

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
