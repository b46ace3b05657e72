// Prints a product of matrices, long enough that OpenBLAS shares it out, on one thread of LibTorch's.
import { call, engine, floats, read } from './engine.mjs';

engine.setThreads(1);
const wave = (shift) =>
  floats(Float32Array.from({ length: 64 * 4096 }, (_, i) => Math.sin(0.37 * i + shift)));
const product = call(
  'aten::matmul',
  call('aten::reshape', wave(1), [64, 4096]),
  call('aten::reshape', wave(2), [4096, 64]),
);
console.log(JSON.stringify(read(product)));
