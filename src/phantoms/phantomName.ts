import { UsageError } from '../errors.js';
import { nearest } from '../text/nearest.js';

export const PHANTOM_PREFIX = 'phantom:';

/** The parts of a name such as `phantom:breast,pairs=400,seed=0`. */
export interface PhantomName {
  readonly family: string;
  readonly options: Readonly<Record<string, string>>;
}

/**
 * Takes a phantom's name apart. Whether the family and the options exist is not checked here.
 *
 * @throws UsageError if the family is empty, an option is not `key=value`, or one is given twice
 */
export function parsePhantomName(name: string): PhantomName {
  const expected = 'expected phantom:FAMILY[,OPTION=VALUE…], e.g. phantom:breast,pairs=400,seed=0';
  if (!name.startsWith(PHANTOM_PREFIX))
    throw new UsageError(`"${name}" is not a phantom's name, ${expected}.`);
  const [family = '', ...parts] = name.slice(PHANTOM_PREFIX.length).split(',');
  if (!/^[a-z][a-z0-9-]*$/.test(family))
    throw new UsageError(`"${name}": the family is "${family}", ${expected}.`);
  const options = new Map<string, string>();
  for (const part of parts) {
    const [, key, value] = /^([a-zA-Z][a-zA-Z0-9]*)=(.+)$/.exec(part) ?? [];
    if (key === undefined || value === undefined)
      throw new UsageError(`"${name}": the option is "${part}", ${expected}.`);
    if (options.has(key))
      throw new UsageError(`"${name}": the option ${key} is given twice. Keep one of them.`);
    options.set(key, value);
  }
  return { family, options: Object.fromEntries(options) };
}

/** Reads a phantom's options and, at the end, refuses those that nothing asked for. */
export class PhantomOptions {
  readonly #family: string;
  readonly #written: Readonly<Record<string, string>>;
  readonly #known: string[] = [];

  constructor({ family, options }: PhantomName) {
    this.#family = family;
    this.#written = options;
  }

  /** Reads a number; undefined if not given. The family checks its range. */
  number(key: string): number | undefined {
    return this.#parse(key, /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, 'a number');
  }

  /** Reads a whole number; undefined if not given. */
  integer(key: string): number | undefined {
    return this.#parse(key, /^[+-]?\d+$/, 'a whole number');
  }

  /** Reads `true` or `false`; undefined if not given. */
  boolean(key: string): boolean | undefined {
    const value = this.#take(key);
    if (value === undefined || value === 'true' || value === 'false') {
      return value === undefined ? undefined : value === 'true';
    }
    throw this.#bad(key, value, 'true or false');
  }

  /** Reads one of the words allowed; undefined if not given. */
  word<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const found = allowed.find((word) => word === value);
    if (found !== undefined) return found;
    throw this.#bad(key, value, allowed.join(' or '));
  }

  /** Reads words joined by +; undefined if not given. */
  words(key: string): readonly string[] | undefined {
    return this.#take(key)?.split('+');
  }

  /** @throws UsageError on an option that none of the calls above read */
  refuseUnknown(): void {
    for (const key of Object.keys(this.#written)) {
      if (this.#known.includes(key)) continue;
      const meant = nearest(key, this.#known);
      throw new UsageError(
        `${PHANTOM_PREFIX}${this.#family} has no option "${key}"; it has ${this.#known.join(', ')}.` +
          (meant === undefined ? '' : ` Did you mean "${meant}"?`),
      );
    }
  }

  #take(key: string): string | undefined {
    if (!this.#known.includes(key)) this.#known.push(key);
    return Object.hasOwn(this.#written, key) ? this.#written[key] : undefined;
  }

  #parse(key: string, form: RegExp, expected: string): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (form.test(value)) return Number(value);
    throw this.#bad(key, value, expected);
  }

  #bad(key: string, value: string, expected: string): UsageError {
    return new UsageError(`${PHANTOM_PREFIX}${this.#family}: ${key} is "${value}", expected ${expected}.`);
  }
}
