/** Maps with their max-pool, by a node of the graph for each or by one for both. */
import { gradientsOf, ops, type Tensor } from '../tensor/index.js';

/** A map, and the largest value in each 2×2 window of it. */
export interface PooledMap {
  readonly map: Tensor;
  readonly pooled: Tensor;
}

/** Max-pools a map. */
export function pool(map: Tensor): PooledMap {
  return { map, pooled: ops.maxPool2d(map, [2, 2], [2, 2]) };
}

/** What was pooled from a map in the same node of the graph, so that its gradient does not pass by the map. */
const pooledFrom = new WeakMap<Tensor, Tensor>();

/** A map and its pool that one node of the graph gave. */
export function pooledTogether(map: Tensor, pooled: Tensor): PooledMap {
  pooledFrom.set(map, pooled);
  return { map, pooled };
}

/**
 * Gradients of `value` at maps, also where a pool was computed together with its map.
 *
 * @returns one for each map, null where the value does not depend on it
 */
export function gradientsAtMaps(value: Tensor, maps: readonly Tensor[]): (Tensor | null)[] {
  const pools = maps.map((map) => pooledFrom.get(map));
  const found = gradientsOf([value], [...maps, ...pools.flatMap((pooled) => pooled ?? [])], {
    retainGraph: true,
  });
  const ofPools = found.slice(maps.length);
  return maps.map((map, i) => {
    const own = found[i]!;
    const ofPool = pools[i] === undefined ? null : ofPools.shift()!;
    if (ofPool === null) return own;
    const leaf = map.detach().setRequiresGrad();
    pool(leaf).pooled.backward(ofPool);
    return own === null ? leaf.grad : own.add(leaf.grad!);
  });
}
