import { TensorError } from './native.js';

/**
 * Passes on what the body of a scope returned, unless it is a promise: the scope would end before the work does. The
 * promise's own failure is silenced, because it follows from the error thrown here.
 */
export function synchronous<T>(scope: string, covers: string, result: T): T {
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new TensorError(`${scope}(): the function returned a promise; ${covers} only synchronous work`);
  }
  return result;
}
