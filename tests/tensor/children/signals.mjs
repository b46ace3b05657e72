// A synchronous loop, as a training step is: `node signals.mjs finish | stubborn | twice`.
import { writeSync } from 'node:fs';
import { engine } from './engine.mjs';

const mode = process.argv[2];
// Node's own handler must be back after unwatchSignals(), and must not run while the loop watches.
process.on('SIGINT', () => process.exit(9));
engine.watchSignals();
engine.watchSignals(); // overlapping watches: the first stop restores nothing yet
engine.unwatchSignals();
writeSync(1, 'ready\n');
if (mode === 'twice') {
  process.kill(process.pid, 'SIGINT');
  process.kill(process.pid, 'SIGINT');
}
const end = Date.now() + 30_000; // no orphan when the parent dies
while (engine.pendingSignal() === 0 && Date.now() < end);
writeSync(1, `noted ${engine.pendingSignal()}\n`);
if (mode === 'stubborn') while (Date.now() < end);
engine.unwatchSignals();
if (mode === 'restored') {
  process.kill(process.pid, 'SIGINT');
  setTimeout(() => process.exit(8), 10_000);
} else process.exit(7);
