/** Keeps what was asked for lately. */
export class Recent<Key, Value> {
  readonly #most: number;
  readonly #leave: (value: Value) => void;
  readonly #values = new Map<Key, Value>();

  constructor(most: number, leave: (value: Value) => void = () => {}) {
    this.#most = most;
    this.#leave = leave;
  }

  /** A promise that is refused is not kept. */
  get(key: Key, make: () => Value): Value {
    const value = this.#values.get(key) ?? make();
    this.#renew(key, value);
    if (value instanceof Promise) value.catch(() => this.#values.delete(key));
    for (const [old, one] of this.#values) {
      if (this.#values.size <= this.#most) break;
      this.#values.delete(old);
      this.#leave(one);
    }
    return value;
  }

  /** Keeps a value as if it were asked for now, where it is kept still. */
  touch(key: Key): void {
    const value = this.#values.get(key);
    if (value !== undefined) this.#renew(key, value);
  }

  #renew(key: Key, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
  }

  clear(): void {
    for (const value of this.#values.values()) this.#leave(value);
    this.#values.clear();
  }
}
