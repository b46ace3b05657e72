/** The scopes that decide when a tensor's memory is freed. */
import { native } from './native.js';
import { synchronous } from './synchronous.js';
import { Tensor } from './tensor.js';

const scopes: Set<Tensor>[] = [];

/** Enters a new tensor into the innermost scope, if there is one. */
export function enlist(made: Tensor): void {
  scopes.at(-1)?.add(made);
}

/**
 * Runs `body` and frees every tensor made inside, except those in its result (a tensor, or arrays, maps, sets and plain
 * objects of them) and those given to {@link keep}. Scopes nest. They prevent leaks and save time, as memory freed at
 * the end of a training step serves the next one.
 *
 * @throws TensorError when `body` returns a promise, as its tensors would be freed too soon
 */
export function tidy<T>(body: () => T): T {
  const scope = new Set<Tensor>();
  scopes.push(scope);
  let kept = new Set<Tensor>(); // stays empty when body throws: then everything goes
  try {
    const result = synchronous('tidy', 'tidy', body());
    kept = tensorsIn(result);
    return result;
  } finally {
    scopes.pop();
    const outer = scopes.at(-1);
    for (const made of scope) {
      if (kept.has(made)) outer?.add(made);
      else made.dispose();
    }
  }
}

/**
 * Takes a tensor (or all in an array, map, set or plain object) out of every {@link tidy} scope: the caller disposes
 * it.
 */
export function keep<T>(value: T): T {
  for (const kept of tensorsIn(value)) for (const scope of scopes) scope.delete(kept);
  return value;
}

/** Finds every tensor that can be reached through arrays, maps, sets and plain objects. */
function tensorsIn(value: unknown, found = new Set<Tensor>(), seen = new Set<object>()): Set<Tensor> {
  if (value instanceof Tensor) found.add(value);
  else if (typeof value === 'object' && value !== null && !seen.has(value)) {
    seen.add(value);
    if (Array.isArray(value)) for (const item of value) tensorsIn(item, found, seen);
    else if (value instanceof Map || value instanceof Set)
      for (const item of value.values()) tensorsIn(item, found, seen);
    else if (isPlain(value)) for (const item of Object.values(value)) tensorsIn(item, found, seen);
  }
  return found;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Counts the tensors of this environment that are neither freed nor collected. */
export function liveTensors(): number {
  return native().liveTensors();
}
