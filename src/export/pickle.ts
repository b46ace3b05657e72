/**
 * Reads Python pickles that hold numbers, texts, lists, dictionaries and tensors. A pickle is a program that may name any
 * function of Python to be called; here only those that the caller gives can be named, and no Python is run. It is
 * written here because LibTorch's own unpickler ends the process on some opcodes that Python's torch.save writes, and
 * knows others in some versions only.
 */
import { DataError } from '../errors.js';

export interface PickleReader {
  /** What the pickle is called in messages. */
  readonly where: string;
  /**
   * What each function or class that may be named does with its arguments, by its full name. Anything else is refused.
   */
  readonly globals: ReadonlyMap<string, (args: readonly unknown[]) => unknown>;
  /** Loads what the pickle keeps outside of itself. */
  readonly persistent: (id: unknown) => unknown;
}

/** A function or class that a pickle names, before it is called. */
export class Global {
  constructor(readonly name: string) {}
}

const MARK = Symbol('mark');

/**
 * Reads one pickle. Dictionaries become Maps, tuples and lists arrays, whole numbers beyond 2⁵³ bigints.
 * @param at the place of its first byte
 * @returns the object and the place behind it
 * @throws DataError on anything that is not data, by name
 */
export function readPickle(
  bytes: Uint8Array,
  { where, globals, persistent }: PickleReader,
  at = 0,
): { value: unknown; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  let place = at;
  const fail = (what: string): never => {
    throw new DataError(`${where}: ${what}; expected a pickle as torch.save writes it`);
  };
  const take = (count: number): number => {
    const begin = place;
    if (!(count >= 0 && begin + count <= bytes.length)) fail(`ends within a value at byte ${begin}`);
    place += count;
    return begin;
  };
  const u8 = () => view.getUint8(take(1));
  const u32 = () => view.getUint32(take(4), true);
  const length8 = () => Number(view.getBigUint64(take(8), true));
  const text = (count: number) => {
    const begin = take(count);
    return Buffer.from(bytes.buffer, bytes.byteOffset + begin, count).toString('utf8');
  };
  const line = () => {
    const end = bytes.indexOf(0x0a, place);
    if (end < 0) fail('ends within a name');
    const found = text(end - place);
    place += 1;
    return found;
  };
  const pop = (): unknown => {
    if (stack.length === 0) fail('takes a value where there is none');
    return stack.pop();
  };
  const popMarked = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) fail('closes a list that was not opened');
    return stack.splice(mark).slice(1);
  };
  const top = <T>(kind: new () => T): T => {
    const found = stack.at(-1);
    return found instanceof kind ? found : fail(`fills something that is no ${kind.name}`);
  };
  const set = (pairs: readonly unknown[]) => {
    const into = top(Map);
    for (let i = 0; i + 1 < pairs.length; i += 2) into.set(pairs[i], pairs[i + 1]);
  };
  const long = (count: number): number | bigint => {
    let found = 0n;
    const begin = take(count);
    for (let i = count - 1; i >= 0; i -= 1) found = (found << 8n) | BigInt(bytes[begin + i]!);
    const signed = BigInt.asIntN(8 * count, found);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  };
  const named = (module: unknown, name: unknown): Global => {
    const full = `${module}.${name}`;
    if (!globals.has(full)) {
      throw new DataError(
        `${where}: names ${full}, which is code and no weights; nothing of it was run. Save the weights alone, in Python: torch.save(model.state_dict(), "weights.pth")`,
      );
    }
    return new Global(full);
  };
  const call = (callee: unknown, args: unknown): unknown =>
    callee instanceof Global && Array.isArray(args)
      ? globals.get(callee.name)!(args)
      : fail('calls something that is no function');
  const remember = (key: number) => memo.set(key, stack.at(-1));
  const recall = (key: number) =>
    stack.push(memo.has(key) ? memo.get(key) : fail(`reads memo ${key}, which is empty`));
  const opcodes: Readonly<Record<string, () => unknown>> = {
    '\x80': () => u8() <= 5 || fail('is of a newer protocol than 5'),
    '\x95': () => take(8),
    '(': () => stack.push(MARK),
    '0': pop,
    '1': popMarked,
    N: () => stack.push(null),
    '\x88': () => stack.push(true),
    '\x89': () => stack.push(false),
    J: () => stack.push(view.getInt32(take(4), true)),
    K: () => stack.push(u8()),
    M: () => stack.push(view.getUint16(take(2), true)),
    '\x8a': () => stack.push(long(u8())),
    G: () => stack.push(view.getFloat64(take(8), false)),
    X: () => stack.push(text(u32())),
    '\x8c': () => stack.push(text(u8())),
    '\x8d': () => stack.push(text(length8())),
    U: () => stack.push(text(u8())),
    T: () => stack.push(text(u32())),
    C: () => stack.push(text(u8())),
    B: () => stack.push(text(u32())),
    '}': () => stack.push(new Map()),
    ']': () => stack.push([]),
    ')': () => stack.push([]),
    t: () => stack.push(popMarked()),
    l: () => stack.push(popMarked()),
    '\x85': () => stack.push([pop()]),
    '\x86': () => stack.push([pop(), pop()].reverse()),
    '\x87': () => stack.push([pop(), pop(), pop()].reverse()),
    a: () => {
      const item = pop();
      top(Array).push(item);
    },
    e: () => {
      const items = popMarked();
      const into = top(Array);
      for (const item of items) into.push(item);
    },
    s: () => {
      const value = pop();
      const key = pop();
      set([key, value]);
    },
    u: () => set(popMarked()),
    q: () => remember(u8()),
    r: () => remember(u32()),
    '\x94': () => remember(memo.size),
    h: () => recall(u8()),
    j: () => recall(u32()),
    c: () => stack.push(named(line(), line())),
    '\x93': () => {
      const name = pop();
      stack.push(named(pop(), name));
    },
    R: () => {
      const args = pop();
      stack.push(call(pop(), args));
    },
    '\x81': () => {
      const args = pop();
      stack.push(call(pop(), args));
    },
    // Attributes beside the items, such as the versions of a state dict's modules. None of them is weights.
    b: pop,
    Q: () => stack.push(persistent(pop())),
  };
  while (true) {
    const opcode = String.fromCharCode(u8());
    if (opcode === '.') return { value: pop(), end: place };
    const run = Object.hasOwn(opcodes, opcode) ? opcodes[opcode]! : undefined;
    if (run === undefined) fail(`has the opcode ${JSON.stringify(opcode)} at byte ${place - 1}`);
    run!();
  }
}
