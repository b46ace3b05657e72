/** Checks of options and shapes that several losses share. */
import { Tensor, TensorError } from '../tensor/index.js';

/**
 * Refuses a misspelt option, which would silently compute another loss.
 *
 * @throws TensorError naming the option, its value and the permitted values
 */
export function checkOneOf(
  loss: string,
  options: object,
  known: Readonly<Record<string, readonly string[]>>,
): void {
  for (const [name, values] of Object.entries(known)) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined && !values.includes(value as string)) {
      throw new TensorError(`${loss}: ${name} is ${JSON.stringify(value)}, expected ${values.join(' or ')}`);
    }
  }
}

/** @throws TensorError unless τ > 0 */
export function checkTau(loss: string, tau: number): void {
  if (!(tau > 0)) throw new TensorError(`${loss}: tau is ${tau}, expected a positive temperature`);
}

/** @throws TensorError unless all are tensors of the same shape [N, d], N ≥ 1 */
export function checkRows(loss: string, rows: Record<string, Tensor>): void {
  const missing = Object.keys(rows).find((name) => !(rows[name] instanceof Tensor));
  if (missing !== undefined)
    throw new TensorError(`${loss}: ${missing} is missing, expected a tensor [N, d]`);
  const [[, first]] = Object.entries(rows) as [[string, Tensor]];
  for (const [name, { shape }] of Object.entries(rows)) {
    if (shape.length !== 2 || shape[0] === 0 || shape.join() !== first.shape.join()) {
      throw new TensorError(
        `${loss}: ${name} is [${shape}], expected [N, d] as the other views, [${first.shape}]`,
      );
    }
  }
}
