import type { Forward, Method, Pairs } from '../methods/index.js';
import { gradientsAtMaps, partsOf } from '../nn/index.js';
import { ops, type ProcessGroup, type Tensor } from '../tensor/index.js';

/** A weighted term of the objective, or a micro-batch's share of it, with a graph. */
export interface Pull {
  readonly name: string;
  /** `perPair`: the term needs no other pair. `batch`: it compares the pairs of the batch. */
  readonly kind: 'perPair' | 'batch';
  readonly value: Tensor;
}

interface Chance {
  readonly sum: number;
  readonly share: number;
}

/**
 * Measures how hard each weighted term pulls at each map, ‖w ∂term/∂map‖₂, and the ratio of the terms that stand per
 * pair (L_C) to those that compare the batch (L_Glo); beside these, the value of each term by chance. Micro-batches
 * are added one by one.
 */
export class Inspection {
  readonly #method: Method;
  readonly #whole: Pairs;
  /** Sum over the micro-batches that have a value, and the share of the pairs in them. */
  readonly #chance = new Map<string, Chance>();
  /** Squared norms by term, then by map. */
  readonly #terms = new Map<string, Map<string, number>>();
  readonly #kinds = new Map<string, Map<string, number>>();

  /** @param whole the samples of the whole batch */
  constructor(method: Method, whole: Pairs) {
    this.#method = method;
    this.#whole = whole;
  }

  /**
   * @param pairs the samples of this forward pass
   * @param share of what the batch compares per pair that this forward pass holds
   */
  add(forward: Forward, pairs: Pairs, pulls: readonly Pull[], share = 1): void {
    for (const [name, value] of Object.entries(this.#method.chance(forward, pairs, this.#whole))) {
      this.#addChance(name, { sum: share * value, share });
    }
    const maps = Object.entries(forward.maps).flatMap(([name, map]) =>
      partsOf(map).map((part) => [name, part] as const),
    );
    const inputs = maps.map(([, map]) => map);
    for (const { name, kind, value } of pulls) {
      gradientsAtMaps(value, inputs).forEach((gradient, i) => {
        const norm =
          gradient === null ? 0 : ops.vectorNorm(gradient.to({ dtype: 'f32' }), 2, null, false).item();
        accumulate(this.#terms, name, maps[i]![0], norm ** 2);
        accumulate(this.#kinds, kind, maps[i]![0], norm ** 2);
      });
    }
  }

  /** Adds what the other processes have measured of their shares of the batch. */
  sumOver(group: ProcessGroup): void {
    // A share of a single pair has no chance level of terms that confuse pairs, so that not all have the same names.
    const told = group.exchange(JSON.stringify([...this.#chance]));
    this.#chance.clear();
    for (const [name, { sum, share }] of told.flatMap((text) => JSON.parse(text) as [string, Chance][])) {
      this.#addChance(name, { sum, share });
    }
    const squares = [this.#terms, this.#kinds].flatMap((of) =>
      [...of.values()].flatMap((maps) => [...maps].map(([map, value]) => ({ maps, map, value }))),
    );
    const sums = group.sumNumbers(squares.map(({ value }) => value));
    for (const [i, { maps, map }] of squares.entries()) maps.set(map, sums[i]!);
  }

  #addChance(name: string, { sum, share }: Chance): void {
    const before = this.#chance.get(name) ?? { sum: 0, share: 0 };
    this.#chance.set(name, { sum: before.sum + sum, share: before.share + share });
  }

  /** `chance/TERM`, `gradientNorm/TERM/MAP`, `gradientRatio/MAP`. */
  values(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const [name, { sum, share }] of this.#chance) found[`chance/${name}`] = sum / share;
    for (const [name, maps] of this.#terms) {
      for (const [map, squared] of maps) found[`gradientNorm/${name}/${map}`] = Math.sqrt(squared);
    }
    for (const [map, perPair] of this.#kinds.get('perPair') ?? []) {
      const batch = this.#kinds.get('batch')?.get(map) ?? 0;
      if (perPair > 0 && batch > 0) found[`gradientRatio/${map}`] = Math.sqrt(perPair / batch);
    }
    return found;
  }
}

function accumulate(sums: Map<string, Map<string, number>>, key: string, map: string, value: number): void {
  const of = sums.get(key) ?? new Map<string, number>();
  of.set(map, (of.get(map) ?? 0) + value);
  sums.set(key, of);
}
