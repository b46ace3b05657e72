/** Keys by which JavaScript reaches the prototype of an object, and with it all objects. */
const UNSAFE_KEYS = ['__proto__', 'constructor', 'prototype'];

export function isUnsafeKey(key: string): boolean {
  return UNSAFE_KEYS.includes(key);
}

/** Finds the first such key in parsed JSON or YAML, at any depth. */
export function findUnsafeKey(value: unknown): string | undefined {
  const waiting = [value];
  const seen = new Set<unknown>();
  while (waiting.length > 0) {
    const one = waiting.pop();
    if (typeof one !== 'object' || one === null || seen.has(one)) continue;
    seen.add(one);
    const unsafe = Object.keys(one).find(isUnsafeKey);
    if (unsafe !== undefined) return unsafe;
    for (const item of Object.values(one)) waiting.push(item);
  }
  return undefined;
}
