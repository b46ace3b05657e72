import { TensorError } from '../tensor/index.js';

/** A misspelt option must not silently compute another loss. @throws TensorError naming the option, its value and what it may be */
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
