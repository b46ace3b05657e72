// `npm run demo`: the commands a user would type, from phantom pairs to a report. Finished steps are not done again, and an
// interrupted one goes on where it was.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const program = 'dist/cli/main.js';
const report = 'demo-report';
const runs = { recommended: 'runs/demo-recommended', paper: 'runs/demo-paper' };

/** Pairs without the overlay: the elastogram alone shows what is stiff. */
const data = 'phantom:breast,pairs=1000,overlay=false,seed=0';
const small = ['data.size=48', 'method.patches=[[4,4],[4,4],[4,4],[3,3]]', 'training.batchSize=128'];
const pretrain = (recipe, width, out) => [
  ...['pretrain', '--data', data, '--recipe', recipe, '--steps', '300', '--seed', '0', '--out', out],
  ...['--set', ...small, `model.width=${width}`, 'monitor.every=50', 'training.checkpointEvery=50'],
];
const judge = (title, run) => ({
  title,
  command: ['evaluate', 'logreg', '--run', run, '--features', 'pooled'],
  done: () => newer(join(root, run, 'evaluation/logreg-pooled.json'), join(root, run, 'encoder.safetensors')),
});
const steps = [
  {
    title: 'Pretrain the recommended recipe on 1,000 synthetic breast pairs, without their labels',
    // Its two branches of an eighth cost half of the paper's network of a quarter.
    command: pretrain('recommended', 0.125, runs.recommended),
  },
  {
    title: 'Pretrain the paper’s recipe on the same pairs',
    command: pretrain('paper-us-swe', 0.25, runs.paper),
  },
  judge(
    'Judge the first on the labels, beside the same encoder untrained and a 12×12 thumbnail',
    runs.recommended,
  ),
  judge('Judge the paper’s in the same way', runs.paper),
  { title: 'Write the report', command: ['report', runs.recommended, runs.paper, '--out', report] },
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

console.error(`About five minutes on two free cores: small networks, few steps, simulated patients. This shows the whole path; what
the methods are worth on other data is in docs/results.md.`);
for (const [number, { title, command, done }] of steps.entries()) {
  console.error(`\n== ${number + 1} of ${steps.length}: ${title}`);
  console.error(`$ node ${program} ${command.map(quoted).join(' ')}`);
  if (done?.()) {
    console.error(`done before; rm -r ${Object.values(runs).join(' ')} starts anew`);
    continue;
  }
  const code = await execute(command);
  if (code === 0) continue;
  console.error(
    code > 128
      ? '\nInterrupted; npm run demo goes on from here.'
      : `\nThe command above ended with exit code ${code}. Mend what it says, or start anew: rm -r ${Object.values(runs).join(' ')}`,
  );
  process.exit(code);
}
console.error('\nThe report, with curves, pictures and the table:');
console.log(join(relative(process.cwd(), root), report, 'index.html'));
