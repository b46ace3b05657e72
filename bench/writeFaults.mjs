/**
 * The part of `npm run soak` that lets system calls fail: a full disk (ENOSPC) and a broken one (EIO) at random calls of a
 * pretraining that write. Each one is told with the file, or does no harm; then the same command ends as if nothing had been.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('faultyWrites.c', import.meta.url));
const CODES = { ENOSPC: 28, EIO: 5 };

/**
 * @param run runs the pretraining into a folder with these variables, and gives its exit code and what it told
 * @param printOf the digest of all that must be the same to the bit in a run's folder
 * @returns rows of the table
 */
export async function writeFaults({ folder, faults, seconds, random, run, printOf }) {
  const library = join(folder, 'faultyWrites.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  const trace = join(folder, 'trace');
  const out = join(folder, 'faulty');
  const variables = { LD_PRELOAD: library, FAULT_UNDER: out, FAULT_TRACE: trace, UV_USE_IO_URING: '0' };
  const counted = await run(out, variables);
  const calls = existsSync(trace) ? readFileSync(trace, 'utf8').trim().split('\n') : [];
  if (counted.code !== 0 || calls.length === 0)
    return [['faults', 'counting', `ended with ${counted.code}`, 'FAILED']];
  const names = [...new Set(calls.map((call) => call.split(' ')[0]))].sort();
  const alone = printOf(out);
  const found = { done: 0, told: 0, harmless: 0, silent: 0, different: 0, stuck: 0 };
  const kinds = new Map();
  const began = Date.now();
  while (found.done < faults && Date.now() - began < seconds * 1000) {
    rmSync(out, { recursive: true, force: true });
    // Each kind of call comes in turn, with either error; which of its calls fails is drawn.
    const [code, number] = Object.entries(CODES)[found.done % 2];
    const name = names[Math.floor(found.done / 2) % names.length];
    const alike = calls.flatMap((call, i) => (call.startsWith(`${name} `) ? [i + 1] : []));
    const at = alike[Math.floor(random() * alike.length)];
    const faulty = await run(out, { ...variables, FAULT_AT: `${at}`, FAULT_ERRNO: `${number}` });
    const what = calls[at - 1];
    found.done += 1;
    const kind = `${code} ${name}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    // Node tells a failed mkdir of a deep folder as ENOENT, whatever the system said.
    const named = (faulty.stderr.includes(code) || name === 'mkdir') && faulty.stderr.includes(out);
    if (faulty.code === 0) found.harmless += 1;
    else if (named) found.told += 1;
    else {
      found.silent += 1;
      console.error(`faults: ${kind} at ${what} ended with ${faulty.code} and told: ${faulty.stderr.trim()}`);
    }
    // What the fault left is gone on with, whatever it is.
    const resumed = await run(out, {});
    if (resumed.code !== 0) {
      found.stuck += 1;
      console.error(
        `faults: after ${kind} at ${what} the same command ended with ${resumed.code}: ${resumed.stderr.trim()}`,
      );
    } else if (printOf(out) !== alone) {
      found.different += 1;
      console.error(`faults: after ${kind} at ${what} the run ended with other bits`);
    }
    console.error(`faults: ${found.done} of ${faults}, ${kind}`);
  }
  rmSync(out, { recursive: true, force: true });
  const { done, harmless, silent, different, stuck } = found;
  const result = `${found.told} told with the file, ${harmless} harmless, ${silent} untold; then ${different} different, ${stuck} failed; of ${calls.length} calls`;
  const good = done > 0 && silent + different + stuck === 0;
  const spread = [...kinds].sort().map(([kind, count]) => `${kind} ${count}`);
  return [
    ['faults', `${done} × ENOSPC or EIO, then gone on with`, result, good ? 'ok' : 'FAILED'],
    ['faults', 'system calls', spread.join(', '), 'ok'],
  ];
}
