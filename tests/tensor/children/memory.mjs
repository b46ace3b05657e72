// Resident memory, in MiB, after rounds of large tensors of which few are alive at once.
import { ops, tidy } from '../../../dist/tensor/index.js';

const MIB = 2 ** 18; // f32 values in one
const resident = () => process.memoryUsage.rss() / 2 ** 20;
tidy(() => void ops.full([1], 1, 'f32', null, 'cpu')); // loads LibTorch
const before = resident();

// Three of 10 MiB at a time, and small tensors between them that live on.
const small = [];
for (let round = 0; round < 40; round += 1) {
  tidy(() => {
    const a = ops.full([10 * MIB], 1, 'f32', null, 'cpu');
    const b = a.add(1);
    b.add(a);
  });
  small.push(ops.full([100], round, 'f32', null, 'cpu'));
}
const sameSizes = resident() - before;

// 20 MiB at a time, each round in another size: what is idle must not pile up.
for (let round = 0; round < 60; round += 1) {
  tidy(() => void ops.full([(20 + round) * MIB], 1, 'f32', null, 'cpu'));
}
const growingSizes = resident() - before;

const whole = small.every((tensor, round) => tensor.toArray().every((value) => value === round));
console.log(JSON.stringify({ sameSizes, growingSizes, whole }));
