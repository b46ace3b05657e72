// Tells whether a process that left its mark is still running.
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** When a process began, so that a reused id is not taken for it; null when it is gone, '' where that cannot be told. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before it may hold spaces
    return fields[0] === 'Z' || fields[0] === 'X' ? null : fields[19];
  } catch {
    try {
      process.kill(pid, 0);
      return '';
    } catch (error) {
      return error.code === 'EPERM' ? '' : null;
    }
  }
}

/** The mark of a process: its id and its start. */
export function markOf(pid) {
  return { pid, start: startOf(pid) ?? '' };
}

/** True while the process that was marked runs. Its id may be in use again by another one, which is not it. */
export function isRunning({ pid, start }) {
  const now = startOf(pid);
  return now !== null && (now === '' || start === '' || now === start);
}

/** Process ids mean something only within this: one start of one machine, and one container on it. */
export function idSpace() {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')} ${boot}`;
  } catch {
    return hostname();
  }
}
