/**
 * Makes sure that one process at a time works in a folder. A file in it names the process at work. It appears complete
 * or not at all, and only one process can make it.
 *
 * A process that was killed leaves its file. On the same machine, its id and start tell that it is gone. A process
 * elsewhere cannot be looked at: it touches its file every few seconds, and whoever waits watches for that. No clocks
 * are compared, so clocks may differ and jump.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { idSpace, isRunning, markOf, type ProcessMark } from '../../tools/processes.mjs';
import { AnatomyError, UsageError } from '../errors.js';
import { isSystemError, isTemporary, namingFile, PRIVATE, temporaryFile, writeFileAtomic } from '../files.js';

/** Another process works in the folder. */
export class FolderBusyError extends UsageError {}

const mark = z.object({ pid: z.int().positive(), start: z.string() });

/** The content of the file. */
const holderSchema = z.object({
  /** Tells this lease from every other one. */
  id: z.string(),
  /** The machine, for people. */
  host: z.string(),
  /** Process ids mean something only within this. */
  idSpace: z.string(),
  since: z.string(),
  process: mark,
  /** Processes that work for this one. They take a moment to save and end when it is gone. */
  children: z.array(mark),
});
type Holder = z.infer<typeof holderSchema>;

/** The right of this process to work in the folder. */
export interface Lease {
  /** Notes a child, by its process id: whoever comes after a killed process waits for its children. */
  add(pid: number): void;
  remove(pid: number): void;
  /** @throws AnatomyError when the folder is no longer this process's: the file was deleted or taken over */
  check(): void;
  /** Gives the folder free, and removes it where it was made for the lease and is empty. Later calls do nothing. */
  release(): void;
}

export interface LeaseOptions {
  /** What the process does, for those it keeps out: `is …`. */
  readonly doing: string;
  /** Is told whom it waits for, and whose folder it takes over. */
  readonly onInfo: (message: string) => void;
  /** Waits until the folder is free, instead of refusing. */
  readonly waits?: boolean;
  /** A process elsewhere touches its file this often, in milliseconds … */
  readonly beatMs?: number;
  /** … and counts as gone when nothing was seen of it for so long. */
  readonly silenceMs?: number;
}

const leaseFile = (folder: string) => join(folder, 'running.json');

/** True for a file by which a process keeps others out of a folder. */
export function isLeaseFile(name: string): boolean {
  return /^running\.json(\.next)*$/.test(name) || (isTemporary(name) && name.startsWith('.running.json'));
}

/**
 * Takes the folder for this process, and makes it if it is not there. The children of a holder that is gone are waited
 * for.
 * @throws FolderBusyError while another process works in the folder, unless it is to wait
 */
export async function takeLease(folder: string, options: LeaseOptions): Promise<Lease> {
  const file = leaseFile(folder);
  const { beatMs = 5_000 } = options;
  /** The first folder that was made for the lease. */
  let first: string | undefined;
  // Whoever held the folder before may remove it at any moment.
  const makeFolder = () => {
    first = namingFile(folder, () => mkdirSync(folder, { recursive: true })) ?? first;
  };
  const id = randomBytes(12).toString('hex');
  const since = new Date().toISOString();
  const children = new Map<number, ProcessMark>();
  const content = () => {
    const holder: Holder = {
      id,
      host: hostname(),
      idSpace: idSpace(),
      since,
      process: markOf(process.pid),
      children: [...children.values()],
    };
    return `${JSON.stringify(holder)}\n`;
  };
  await acquire(file, content(), makeFolder, { ...options, folder });
  // A thread of its own, as a step of training may keep this one busy for minutes.
  // Flags of this process, such as --input-type, would change how the code of the thread is read.
  const heart = new Worker(HEARTBEAT, { eval: true, execArgv: [], workerData: { file, beatMs } });
  heart.unref();
  const isOurs = () => holderIn(read(file))?.id === id;
  let held = true;
  const release = () => {
    if (!held) return;
    held = false;
    process.off('exit', release);
    void heart.terminate();
    if (isOurs()) rmSync(file, { force: true });
    if (first !== undefined) removeEmpty(resolve(folder), resolve(first));
  };
  process.once('exit', release);
  const write = () => {
    if (held && isOurs()) writeFileAtomic(file, content(), { mode: PRIVATE });
  };
  return {
    add: (pid) => {
      children.set(pid, markOf(pid));
      write();
    },
    remove: (pid) => {
      children.delete(pid);
      write();
    },
    check: () => {
      if (isOurs()) return;
      throw new AnatomyError(
        `${file} was deleted or is another process's by now, so another may work in ${folder}; this one stops, and the same command goes on from the last checkpoint`,
      );
    },
    release,
  };
}

const HEARTBEAT = `
const { utimesSync } = require('node:fs');
const { file, beatMs } = require('node:worker_threads').workerData;
setInterval(() => { try { const now = new Date(); utimesSync(file, now, now); } catch {} }, beatMs);
`;

/** Makes the file with this content, once nobody who is alive holds it. */
async function acquire(
  file: string,
  content: string,
  makeFolder: () => void,
  options: LeaseOptions & { readonly folder: string },
): Promise<void> {
  const { folder } = options;
  let told = false;
  for (;;) {
    makeFolder();
    if (create(file, content)) return;
    const text = read(file);
    if (text === undefined) continue; // it was given free meanwhile
    const holder = holderIn(text);
    if (!(await isGone(file, holder, options))) {
      if (read(file) === undefined) continue;
      const message = busy(folder, holder, options.doing);
      if (!options.waits) throw new FolderBusyError(`${message}; wait for it, or choose another --out`);
      if (!told) options.onInfo(`${message}; waiting for it`);
      told = true;
      await sleep(200);
      continue;
    }
    // Only one of several successors may take over, or the second would take the first one's lease away.
    const turn = `${file}.next`;
    await acquire(turn, content, makeFolder, options);
    try {
      if (read(file) !== text) continue;
      writeFileAtomic(file, content, { mode: PRIVATE });
      options.onInfo(`${folder}: ${nameOf(holder)} ended here without finishing; this one takes over`);
      return;
    } finally {
      rmSync(turn, { force: true });
    }
  }
}

/** Makes the file unless it is there, or its folder was removed meanwhile. It is linked into place complete, so that nobody reads a part of it. */
function create(file: string, content: string): boolean {
  const draft = temporaryFile(file);
  return namingFile(file, () => {
    try {
      writeFileSync(draft, content, { flag: 'wx', mode: PRIVATE, flush: true });
      linkSync(draft, file);
      return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (error.code === 'EEXIST' || error.code === 'ENOENT') return false;
      if (error.syscall !== 'link') throw error;
      return createWithoutLinks(file, content); // as on FAT
    } finally {
      rmSync(draft, { force: true });
    }
  });
}

function createWithoutLinks(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { flag: 'wx', mode: PRIVATE, flush: true });
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** True once a holder and its children have ended; false while the holder works. */
async function isGone(file: string, holder: Holder | undefined, options: LeaseOptions): Promise<boolean> {
  if (holder?.idSpace !== idSpace()) return isSilent(file, holder, options);
  if (isRunning(holder.process)) return false;
  for (const child of holder.children) {
    if (isRunning(child)) {
      options.onInfo(`process ${child.pid}, a child of a killed process, is still saving; waiting for it`);
    }
    while (isRunning(child)) await sleep(100);
  }
  return true;
}

/** Tells at a glance whether a process works in a folder, for those who only watch. */
export class LeaseWatch {
  /** What was last seen of holders elsewhere, and when that was new. */
  readonly #seen = new Map<string, { state: string; at: number }>();

  /** @returns `gone` where a process ended without giving the folder free */
  look(folder: string, silenceMs = 30_000): 'alive' | 'gone' | 'nobody' {
    const file = leaseFile(folder);
    const text = readable(file);
    if (text === undefined) return 'nobody';
    const holder = holderIn(text);
    if (holder?.idSpace === idSpace()) return isRunning(holder.process) ? 'alive' : 'gone';
    const state = `${statSync(file, { throwIfNoEntry: false })?.mtimeMs} ${text}`;
    const before = this.#seen.get(file);
    const now = performance.now();
    if (before?.state !== state) this.#seen.set(file, { state, at: now });
    return before?.state === state && now - before.at > silenceMs ? 'gone' : 'alive';
  }
}

/** Watches a file whose holder cannot be looked at. */
async function isSilent(
  file: string,
  holder: Holder | undefined,
  { onInfo, beatMs = 5_000, silenceMs = 30_000 }: LeaseOptions,
): Promise<boolean> {
  const state = () => {
    const { mtimeNs, ino } = statSync(file, { bigint: true, throwIfNoEntry: false }) ?? {};
    return `${mtimeNs} ${ino} ${read(file)}`; // reading makes a network file system look anew
  };
  const before = state();
  onInfo(
    `${file} is of ${nameOf(holder)}, which cannot be looked at from here; watching for ${silenceMs / 1000} s whether it is alive`,
  );
  const began = performance.now();
  while (performance.now() - began < silenceMs) {
    await sleep(beatMs / 5);
    if (state() !== before) return false;
  }
  return true;
}

function busy(folder: string, holder: Holder | undefined, doing: string): string {
  const since = holder === undefined ? '' : ` since ${holder.since}`;
  return `${folder}: ${nameOf(holder)} is ${doing} here${since}`;
}

function nameOf(holder: Holder | undefined): string {
  if (holder === undefined) return 'a process that cannot be told';
  const { pid } = holder.process;
  return holder.idSpace === idSpace() ? `process ${pid}` : `process ${pid} of ${holder.host}, elsewhere`;
}

/** The content of a file; nothing of one that only its owner may read. */
function readable(file: string): string | undefined {
  try {
    return read(file);
  } catch (error) {
    if (isSystemError(error) && error.code === 'EACCES') return '';
    throw error;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The holder that a file names; undefined where the file is empty, damaged or of another version. */
function holderIn(text: string | undefined): Holder | undefined {
  if (text === undefined) return undefined;
  try {
    return holderSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** Removes a folder and those above it, up to the one that was made first, as far as they are empty. */
function removeEmpty(folder: string, first: string): void {
  for (let place = folder; place.length >= first.length; place = dirname(place)) {
    try {
      rmdirSync(place);
    } catch {
      return;
    }
  }
}
