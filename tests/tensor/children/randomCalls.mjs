// Calls the addon at random: all operators by their schemas, with values that fit and values that do not, with tensors
// already freed, and with getters that free operands, shorten lists, and detach or resize buffers while they are read.
// Prints how many calls returned and how many were refused. Any other error, or a crash, ends it with another code.
import { engine, TensorError } from './engine.mjs';

const [operators, calls, seed] = JSON.parse(process.argv[2]);

let state = seed;
/** Mulberry32: a number in [0, 1). */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const choose = (list) => list[below(list.length)];
const some = (most, make) => Array.from({ length: below(most + 1) }, make);

class Trap extends Error {}
const ARRAYS = { f32: Float32Array, f64: Float64Array, u8: Uint8Array, i64: BigInt64Array, bool: Uint8Array };

function fresh() {
  const shape = choose([[], [0], [1], [3], [2, 3], [3, 2], [1, 1, 4, 4], [2, 3, 4, 4], [3, 3, 1, 1]]);
  const dtype = choose(Object.keys(ARRAYS));
  const count = shape.reduce((product, length) => product * length, 1);
  const values = new ARRAYS[dtype](count);
  for (let i = 0; i < count; i += 1) values[i] = dtype === 'i64' ? BigInt(below(4)) : below(2);
  return engine.fromBytes(values, shape, dtype, 'cpu');
}
const pool = Array.from({ length: 40 }, fresh);

const junk = () =>
  choose([
    ...[undefined, null, true, 0, -0, 1.5, Number.NaN, Infinity, 2 ** 53 - 1, -(2 ** 53), 2n ** 70n, -1n],
    ...['', 'f32', 'cuda:9', 'no', Symbol('s'), {}, [], [1, 'a'], [[1]], () => 1, new Date(0)],
    ...[new ArrayBuffer(8), new Uint8Array(3), Object.create(null), new Proxy([], {}), new Proxy({}, {})],
  ]);
const integer = () => choose([-2, -1, 0, 1, 2, 3, 4, 2 ** 53 - 1, -(2 ** 53 - 1), 5n]);

/** Turns an item into a getter that does harm when it is read. */
function trapped(list) {
  if (list.length === 0 || random() < 0.8) return list;
  const at = below(list.length);
  const value = list[at];
  const harm = choose([
    () => engine.release(choose(pool)),
    () => {
      list.length = 0;
    },
    () => list.push(1, 1),
    () => engine.call(engine.findOperator('aten::relu', ''), [choose(pool)]),
    () => {
      throw new Trap();
    },
  ]);
  Object.defineProperty(list, at, {
    configurable: true,
    get() {
      harm();
      return value;
    },
  });
  return list;
}

function fitting(type) {
  if (type.endsWith('?')) return random() < 0.3 ? null : fitting(type.slice(0, -1));
  const list = /^(.*)\[(\d*)\]$/.exec(type);
  if (list !== null) return trapped(some(Number(list[2] || 3), () => fitting(list[1])));
  if (type.startsWith('Tensor')) return choose(pool);
  if (type === 'int' || type === 'SymInt') return integer();
  if (type === 'float' || type === 'Scalar') return choose([integer(), random(), -1.5, Number.NaN]);
  if (type === 'bool') return random() < 0.5;
  if (type === 'ScalarType') return choose(['f32', 'f64', 'u8', 'i64', 'bool', 'bf16']);
  if (type === 'Device') return 'cpu';
  if (type === 'MemoryFormat') return choose(['contiguous', 'channelsLast', 'preserve']);
  return choose(['no', 'mean', '/nowhere/at/all']);
}

/** A typed array whose buffer goes away, or changes its size, while the shape is read. */
function converted() {
  const length = choose([0, 16, 4096, 1 << 16]);
  const resizable = random() < 0.5;
  const buffer = resizable ? new ArrayBuffer(length, { maxByteLength: 1 << 16 }) : new ArrayBuffer(length);
  const bytes = random() < 0.1 ? junk() : new Uint8Array(buffer);
  const shape = choose([[length], [length / 16, 16], [2 ** 40, 2 ** 40], [-1], [length, 0]]);
  const at = below(shape.length);
  const value = shape[at];
  Object.defineProperty(shape, at, {
    get() {
      if (resizable) buffer.resize(choose([0, 8, 1 << 16]));
      else if (random() < 0.5) structuredClone(buffer, { transfer: [buffer] });
      return value;
    },
  });
  return engine.fromBytes(
    bytes,
    random() < 0.1 ? junk() : shape,
    choose(['u8', 'f32', 'no']),
    choose(['cpu', 5]),
  );
}

const known = operators.map((operator) => {
  const [name, overload = ''] = operator.split('.');
  const id = engine.findOperator(name, overload);
  const inside = engine
    .schemaOf(id)
    .replace(/^[^(]*\(/, '')
    .replace(/\) ->.*$/, '')
    .replace(/\([^)]*\)/g, '');
  const types = inside.split(/, (?![^[]*\])/).filter((part) => part !== '*' && part !== '');
  return { id, types: types.map((part) => part.split(' ')[0]) };
});

const counts = { returned: 0, refused: 0, trapped: 0 };
for (let i = 0; i < calls; i += 1) {
  if (i % 3 === 0) {
    const slot = below(pool.length);
    engine.release(pool[slot]);
    if (random() < 0.95) pool[slot] = fresh();
  }
  try {
    const kind = random();
    if (kind < 0.1) converted();
    else if (kind < 0.15)
      engine.copyBytes(random() < 0.8 ? choose(pool) : junk(), random() < 0.5 ? new Float32Array(6) : junk());
    else if (kind < 0.2) engine.grad(trapped([choose(pool)]), trapped([choose(pool)]), null, false);
    else {
      const { id, types } = choose(known);
      const args = types.map((type) => (random() < 0.04 ? junk() : fitting(type)));
      const result = engine.call(id, random() < 0.05 ? args.slice(0, below(args.length + 1)) : args);
      for (const made of Array.isArray(result) ? result : [result]) {
        if (typeof made === 'object' && made !== null && !pool.includes(made)) engine.release(made);
      }
    }
    counts.returned += 1;
  } catch (error) {
    if (error instanceof TensorError) counts.refused += 1;
    else if (error instanceof Trap) counts.trapped += 1;
    else throw error;
  }
}
console.log(JSON.stringify(counts));
