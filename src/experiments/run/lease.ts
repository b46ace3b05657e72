/**
 * Who is at work in an experiment’s folder. A killed parent leaves children behind that take a moment to save and end; whoever
 * comes next waits for them, as two processes in one run would spoil it.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../../errors.js';
import { isSystemError, writeFileAtomic } from '../../files.js';
import type { MessageConsole } from '../../log/console.js';
import { experimentPaths } from '../stored/folder.js';

/** A process by its number and, where the system tells, its start: numbers are used again. */
interface ProcessMark {
  readonly pid: number;
  readonly started: string | null;
}

interface Running {
  readonly parent: ProcessMark;
  readonly children: readonly ProcessMark[];
}

export interface Lease {
  add(pid: number): void;
  remove(pid: number): void;
  release(): void;
}

/**
 * Takes the folder for this process, once children of a parent that is gone have ended.
 * @throws UsageError while another experiment runs in it
 */
export async function takeLease(root: string, console: MessageConsole): Promise<Lease> {
  const file = experimentPaths(root).running;
  if (existsSync(file)) {
    const { parent, children } = JSON.parse(readFileSync(file, 'utf8')) as Running;
    if (isAlive(parent)) {
      throw new UsageError(
        `${root}: process ${parent.pid} is running an experiment here; wait for it, or choose another --out`,
      );
    }
    for (const child of children) {
      if (isAlive(child))
        console.info(`process ${child.pid} of a killed experiment is still saving; waiting for it`);
      while (isAlive(child)) await sleep(100);
    }
  }
  const children = new Map<number, ProcessMark>();
  const write = () => {
    const running: Running = { parent: markOf(process.pid), children: [...children.values()] };
    writeFileAtomic(file, `${JSON.stringify(running)}\n`);
  };
  write();
  return {
    add: (pid) => {
      children.set(pid, markOf(pid));
      write();
    },
    remove: (pid) => {
      children.delete(pid);
      write();
    },
    release: () => rmSync(file, { force: true }),
  };
}

function markOf(pid: number): ProcessMark {
  return { pid, started: statusOf(pid)?.started ?? null };
}

function isAlive({ pid, started }: ProcessMark): boolean {
  const status = statusOf(pid);
  if (status !== undefined) return status.started === started && status.state !== 'Z';
  if (started !== null) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isSystemError(error) && error.code === 'EPERM';
  }
}

/** State and start of a process as Linux tells them, proc(5); undefined on other systems, or without such a process. */
function statusOf(pid: number): { state: string; started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program’s name in parentheses, with whatever characters it has.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, started: fields[19]! };
  } catch {
    return undefined;
  }
}
