// The addon itself, for child processes and workers: plain Node cannot load the TypeScript around it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const build = new URL('../../../native/build/', import.meta.url);
const { addon } = JSON.parse(readFileSync(new URL('current.json', build), 'utf8'));
export const engine = createRequire(import.meta.url)(new URL(addon, build).pathname);

export class TensorError extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}
engine.initialize(TensorError);

/** Calls an operator by name. */
export function call(operator, ...args) {
  const [name, overload = ''] = operator.split('.');
  return engine.call(engine.findOperator(name, overload), args);
}

export function floats(values, shape = [values.length]) {
  return engine.fromBytes(Float32Array.from(values), shape, 'f32', 'cpu');
}

export function read(handle) {
  const values = new Float32Array(engine.shapeOf(handle).reduce((product, length) => product * length, 1));
  engine.copyBytes(handle, values);
  return [...values];
}
