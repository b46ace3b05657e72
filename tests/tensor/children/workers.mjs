// The addon on the main thread and in workers at once: one ends by itself, three are terminated while the addon throws.
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
  const relu = engine.findOperator('aten::relu', '');
  const kept = floats([1]);
  parentPort.postMessage('looping');
  for (;;) { try { engine.call(relu, [kept]); engine.call(relu, [5]); } catch {} }`;

const first = new Worker(source(loop), { eval: true });
const answer = new Promise((resolve, reject) => first.once('message', resolve).once('error', reject));
const ended = new Promise((resolve) => first.once('exit', resolve));

const x = floats([1, 2, 3]);
let y = x;
for (let i = 0; i < 300; i += 1) y = call('aten::add.Tensor', y, x);
const mine = read(y);
const terminated = [];
for (let i = 0; i < 3; i += 1) {
  const worker = new Worker(source(endless), { eval: true });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await new Promise((resolve) => setTimeout(resolve, 30)); // into the loop
  terminated.push(await worker.terminate());
}
console.log(JSON.stringify({ mine, theirs: await answer, ended: await ended, terminated }));
// Afterwards the engine of the main thread is unharmed.
console.log(JSON.stringify(read(call('aten::relu', floats([-1, 1])))));
