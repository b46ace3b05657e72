// The addon on the main thread and in two workers at once: one ends by itself, one is terminated while it throws.
import { Worker } from 'node:worker_threads';
import { call, floats, read } from './engine.mjs';

const source = (body) =>
  `import(${JSON.stringify(new URL('./engine.mjs', import.meta.url).href)}).then(({ engine, call, floats, read }) => {
    const { parentPort } = require('node:worker_threads');
    ${body}
  });`;
const loop = `
  const kept = [];
  for (let i = 0; i < 300; i += 1) {
    const w = floats([1, 2, 3]);
    engine.setRequiresGrad(w, true);
    engine.backward([call('aten::sum', call('aten::mul.Tensor', w, w))], null, false);
    kept.push(w, engine.gradOf(w));
  }
  parentPort.postMessage([read(kept.at(-1)), engine.liveTensors() >= 600]);`;
const endless = `
  parentPort.postMessage('looping');
  for (;;) { try { call('aten::relu', floats([1])); call('aten::relu', 5); } catch {} }`;

const first = new Worker(source(loop), { eval: true });
const answer = new Promise((resolve, reject) => first.once('message', resolve).once('error', reject));
const ended = new Promise((resolve) => first.once('exit', resolve));
const second = new Worker(source(endless), { eval: true });
const looping = new Promise((resolve, reject) => second.once('message', resolve).once('error', reject));

const x = floats([1, 2, 3]);
let y = x;
for (let i = 0; i < 300; i += 1) y = call('aten::add.Tensor', y, x);
const mine = read(y);
await looping;
const terminated = await second.terminate();
console.log(JSON.stringify({ mine, theirs: await answer, ended: await ended, terminated }));
// Afterwards the engine of the main thread is unharmed.
console.log(JSON.stringify(read(call('aten::relu', floats([-1, 1])))));
