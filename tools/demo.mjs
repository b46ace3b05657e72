// `npm run demo`: the commands a user would type, from phantom pairs to a report. Finished steps are not done again, and an
// interrupted one goes on where it was.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const program = 'dist/cli/main.js';
const run = 'runs/demo';
const report = 'demo-report';

const pretrain = [
  ...['pretrain', '--data', 'phantom:breast,pairs=400,seed=0', '--recipe', 'paper-us-swe'],
  ...['--set', 'data.size=64', 'model.width=0.25', 'training.batchSize=50', 'monitor.every=25'],
  ...['--set', 'training.checkpointEvery=50', '--steps', '400', '--seed', '0', '--out', run],
];
const evaluate = ['evaluate', 'logreg', '--run', run, '--features', 'pooled'];
const steps = [
  {
    title: 'Pretrain the paper’s method on 400 synthetic breast pairs, without their labels',
    command: pretrain,
  },
  {
    title: 'Judge it on the labels, beside the same encoder untrained and a 12×12 thumbnail',
    command: evaluate,
    done: () =>
      newer(join(root, run, 'evaluation/logreg-pooled.json'), join(root, run, 'encoder.safetensors')),
  },
  { title: 'Write the report', command: ['report', run, '--out', report] },
];

function newer(file, source) {
  return existsSync(file) && existsSync(source) && statSync(file).mtimeMs > statSync(source).mtimeMs;
}

let child;
// A terminal sends Ctrl-C to the command as well: it saves and ends, and its exit code ends us. Other signals reach us alone.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child?.kill(signal));

/** @returns the exit code */
function execute(command) {
  return new Promise((resolve, reject) => {
    child = spawn(process.execPath, [program, ...command], { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

const quoted = (word) => (/^[\w./:=,-]+$/.test(word) ? word : `'${word}'`);

console.error(`Five to ten minutes on two free cores. A small network and few steps: this shows the whole path, not the
method’s worth. Which row wins is left open; the intervals say how sure the table is.`);
for (const [number, { title, command, done }] of steps.entries()) {
  console.error(`\n== ${number + 1} of ${steps.length}: ${title}`);
  console.error(`$ node ${program} ${command.map(quoted).join(' ')}`);
  if (done?.()) {
    console.error(`done before; rm -r ${run} starts anew`);
    continue;
  }
  const code = await execute(command);
  if (code === 0) continue;
  console.error(
    code > 128
      ? '\nInterrupted; npm run demo goes on from here.'
      : `\nThe command above ended with exit code ${code}. Mend what it says, or start anew: rm -r ${run}`,
  );
  process.exit(code);
}
console.error('\nThe report, with curves, pictures and the table:');
console.log(join(relative(process.cwd(), root), report, 'index.html'));
