import { ops, type Tensor } from '../tensor/index.js';
import type { Backbone, BackboneOutput, ForwardOptions } from './backbone.js';
import type { Module } from './module.js';
import type { NormedConvolution } from './normedConvolution.js';

/**
 * Backbones of one kind side by side, each with weights of its own, so that what trains one cannot overwrite another.
 * Their maps and features stand one after another in the channels.
 */
export class Branches implements Backbone {
  readonly name: string;
  readonly channels: readonly number[];
  readonly strides: readonly number[];
  readonly batchNorm: boolean;
  readonly layerNorm: boolean;
  readonly depth: number;
  readonly children: { readonly branches: Module };
  readonly #branches: readonly Backbone[];

  /** @param branches at least one, all of one shape */
  constructor(branches: readonly Backbone[]) {
    this.#branches = branches;
    this.name = `${branches.length} × ${branches[0]!.name}`;
    this.channels = branches[0]!.channels.map((count) => count * branches.length);
    this.strides = branches[0]!.strides;
    this.batchNorm = branches[0]!.batchNorm;
    this.layerNorm = branches[0]!.layerNorm;
    this.depth = branches[0]!.depth;
    this.children = { branches: { children: Object.fromEntries(branches.entries()) } };
  }

  /** The number of branches. */
  get count(): number {
    return this.#branches.length;
  }

  get convolutions(): NormedConvolution[] {
    return this.#branches.flatMap((branch) => branch.convolutions);
  }

  /** Branches are alike, and each counts its own layers. */
  layerOf(name: string): number {
    return this.#branches[0]!.layerOf(name.replace(/^branches\.\d+\./, ''));
  }

  pooledSide(size: number): number {
    return this.#branches[0]!.pooledSide(size);
  }

  savedBytes(size: number, elementBytes: number): number {
    return this.#branches.reduce((bytes, branch) => bytes + branch.savedBytes(size, elementBytes), 0);
  }

  forward(images: Tensor, options?: ForwardOptions): BackboneOutput {
    const outputs = this.#branches.map((branch) => branch.forward(images, options));
    return {
      maps: this.channels.map((_, stage) => joined(outputs.map(({ maps }) => maps[stage]!))),
      pooled: ops.cat(
        outputs.map(({ pooled }) => pooled),
        1,
      ),
      features: ops.cat(
        outputs.map(({ features }) => features),
        1,
      ),
    };
  }
}

/** The maps of the branches by the map that they were joined to. */
const parts = new WeakMap<Tensor, readonly Tensor[]>();

function joined(maps: readonly Tensor[]): Tensor {
  const map = ops.cat([...maps], 1);
  parts.set(map, maps);
  return map;
}

/**
 * The maps of the branches that a map was joined from; the map itself where it is one. Later stages and features come
 * from these, so that gradients are asked for at them.
 */
export function partsOf(map: Tensor): readonly Tensor[] {
  return parts.get(map) ?? [map];
}

/** The part of a branch in a tensor whose channels (dimension 1) hold all branches one after another. */
export function branchOf(x: Tensor, branch: number, count: number): Tensor {
  const own = x.size(1) / count;
  return x.narrow(1, branch * own, own);
}
