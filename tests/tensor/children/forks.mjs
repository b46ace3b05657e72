// Starts processes while a worker multiplies matrices: OpenBLAS stops its threads at every fork, and a product that is
// under way would wait for them for ever.
import { execFileSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';

const flags = new Int32Array(new SharedArrayBuffer(8));
const worker = new Worker(
  `import(${JSON.stringify(new URL('./engine.mjs', import.meta.url).href)}).then(({ engine, call }) => {
    const x = call('aten::ones', [160, 160], 'f64');
    const end = new Int32Array(require('node:worker_threads').workerData);
    while (Atomics.load(end, 0) === 0) {
      for (let i = 0; i < 20; i += 1) engine.release(call('aten::mm', x, x));
      Atomics.store(end, 1, 1); // products are under way
    }
  });`,
  { eval: true, workerData: flags.buffer },
);
const ended = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
while (Atomics.load(flags, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
for (let i = 0; i < 40; i += 1) execFileSync('true');
Atomics.store(flags, 0, 1);
console.log(await ended);
