/**
 * Makes sure that one process at a time works in an experiment’s folder. The children of a killed parent take a moment
 * to save and end; the next process waits for them, since two processes in one run would spoil it.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../../errors.js';
import { isSystemError, writeFileAtomic } from '../../files.js';
import type { MessageConsole } from '../../log/console.js';
import { experimentPaths } from '../stored/folder.js';

/** A process, known by its number and, where the system tells it, its start time: numbers are used again. */
interface ProcessMark {
  readonly pid: number;
  readonly started: string | null;
}

/** The content of `running.json`. */
interface Running {
  readonly parent: ProcessMark;
  readonly children: readonly ProcessMark[];
}

/** The right of this process to work in the folder. Its children are noted by their process numbers. */
export interface Lease {
  add(pid: number): void;
  remove(pid: number): void;
  release(): void;
}

/**
 * Takes the folder for this process, after the children of a parent that is gone have ended.
 * @throws UsageError while another experiment runs in the folder
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

/**
 * Reads the state and start time of a process from Linux, proc(5). Undefined on other systems, or when there is no such
 * process.
 */
function statusOf(pid: number): { state: string; started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program’s name in parentheses, which may contain any character.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, started: fields[19]! };
  } catch {
    return undefined;
  }
}
