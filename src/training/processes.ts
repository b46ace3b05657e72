/** The processes that work on one thing together: who they are, as their launcher says, and what they agree on. */
import { Writable } from 'node:stream';
import { AnatomyError, DataError, UsageError } from '../errors.js';
import { MessageConsole } from '../log/console.js';
import { ProcessGroup, setThreads, usableCores } from '../tensor/index.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The place of this process among those that its launcher has started. */
export interface Place {
  /** Its number, from 0, and how many there are. */
  readonly rank: number;
  readonly size: number;
  /** Its number among those on this machine, and how many these are. */
  readonly localRank: number;
  readonly localSize: number;
  /** The machine and port where they meet. */
  readonly host: string;
  readonly port: number;
  /** Whether this process opens the store there. torchrun has opened it. */
  readonly opensStore: boolean;
  /** Goes before all names in the store: a restart must not read what the processes before it have left. */
  readonly prefix: string;
}

/** Processes wait this long for each other: one may decode images, or look at the embeddings, meanwhile. */
const TIMEOUT_SECONDS = 1800;

/**
 * Reads what torchrun, `srun` or `--processes` say about this process; undefined where it is alone.
 *
 * @throws UsageError naming a variable that is missing or no number
 */
export function placeOf(environment: Environment = process.env): Place | undefined {
  const { SLURM_STEP_NUM_TASKS: tasks } = environment;
  const launched = environment.WORLD_SIZE !== undefined && environment.RANK !== undefined;
  // Only a step that `srun` has started has tasks. The batch script itself is one process, whatever it was allotted.
  const slurm = !launched && tasks !== undefined && environment.SLURM_PROCID !== undefined;
  if (!launched && !slurm) return undefined;
  const number = (name: string, least: number, fallback?: number): number => {
    const text = environment[name];
    if (text === undefined && fallback !== undefined) return fallback;
    if (text !== undefined && /^\d+$/.test(text) && Number(text) >= least) return Number(text);
    throw new UsageError(
      `${name} is ${text ?? 'not set'}, expected a whole number from ${least}, as torchrun, srun or --processes set it`,
    );
  };
  const size = number(slurm ? 'SLURM_STEP_NUM_TASKS' : 'WORLD_SIZE', 1);
  if (size === 1) return undefined;
  const rank = number(slurm ? 'SLURM_PROCID' : 'RANK', 0);
  if (rank >= size)
    throw new UsageError(`RANK is ${rank}, expected 0 to ${size - 1}, as there are ${size} processes`);
  const host = environment.MASTER_ADDR ?? (slurm ? environment.SLURM_LAUNCH_NODE_IPADDR : undefined);
  if (host === undefined) {
    throw new UsageError('MASTER_ADDR is not set, expected the name or address of the machine of process 0');
  }
  // Jobs that share a machine need ports of their own.
  const jobPort = slurm ? 20_000 + (number('SLURM_JOB_ID', 0, 0) % 40_000) : undefined;
  const { TORCHELASTIC_RUN_ID: run, TORCHELASTIC_RESTART_COUNT: restart } = environment;
  return {
    rank,
    size,
    localRank: number(slurm ? 'SLURM_LOCALID' : 'LOCAL_RANK', 0, slurm ? undefined : rank),
    localSize: number('LOCAL_WORLD_SIZE', 1, slurm ? 1 : size),
    host,
    port: number('MASTER_PORT', 1, jobPort),
    opensStore: rank === 0 && environment.TORCHELASTIC_USE_AGENT_STORE !== 'True',
    prefix: `anatomy/${run ?? 'run'}/${restart ?? 0}`,
  };
}

/**
 * Gives this process the GPU of its number on the machine, by CUDA_VISIBLE_DEVICES. Call it before LibTorch is loaded,
 * which counts GPUs once.
 *
 * @throws UsageError where there are fewer GPUs than processes
 */
export function chooseGpu(
  { localRank }: Place,
  environment: Record<string, string | undefined> = process.env,
): void {
  const visible = environment.CUDA_VISIBLE_DEVICES?.split(',').filter((one) => one !== '');
  // A launcher that gave each process its own GPU has chosen already.
  if (visible?.length === 1 || visible?.length === 0) return;
  const own = visible === undefined ? String(localRank) : visible[localRank];
  if (own === undefined) {
    throw new UsageError(
      `CUDA_VISIBLE_DEVICES is ${environment.CUDA_VISIBLE_DEVICES}, ${visible!.length} GPUs, and this is process ${localRank} of its machine, counted from 0; start no more processes than GPUs`,
    );
  }
  environment.CUDA_VISIBLE_DEVICES = own;
}

/**
 * The threads of each of the processes on a machine. torchrun sets OMP_NUM_THREADS to 1 for all, which is nobody's
 * choice.
 */
export function threadsOf({ localSize }: Place): number {
  return Math.max(1, Math.floor(usableCores() / localSize));
}

/** The processes that work together, and the place of this one. */
export interface Company {
  readonly place: Place;
  readonly group: ProcessGroup;
}

/**
 * Meets the other processes, once in the life of this one; undefined where it is alone.
 *
 * @param threads those asked for; null: its share of the cores
 * @throws UsageError when the others do not come in time
 */
export function meetOthers(threads: number | null): Company | undefined {
  if (met === undefined) {
    const place = placeOf();
    if (place === undefined) return undefined;
    chooseGpu(place);
    met = { place, group: meet(place) };
  }
  if (threads === null) setThreads(threadsOf(met.place));
  return met;
}

let met: Company | undefined;

/** A console that nobody hears: the first process speaks for all. */
export function unheard(): MessageConsole {
  return new MessageConsole({ stream: new Writable({ write: (_, __, done) => done() }) });
}

function meet(place: Place, environment: Environment = process.env): ProcessGroup {
  const asked = environment.ANATOMY_TIMEOUT;
  const seconds = asked === undefined ? TIMEOUT_SECONDS : Number(asked);
  if (!(seconds >= 1)) throw new UsageError(`ANATOMY_TIMEOUT is ${asked}, expected seconds from 1`);
  return new ProcessGroup({ ...place, timeout: 1000 * seconds });
}

/** Sees that all processes read the same data. @throws DataError naming the first that does not */
export function sameData(group: ProcessGroup, dataHash: string): void {
  const hashes = group.exchange(dataHash);
  const other = hashes.findIndex((hash) => hash !== hashes[0]);
  if (other > 0) {
    throw new DataError(
      `process ${other} of ${group.size} reads other data than process 0; give all machines the same images and the same manifest`,
    );
  }
}

function tellError(group: ProcessGroup, { message }: Error): void {
  try {
    group.exchange(JSON.stringify({ error: message }));
  } catch {
    // The others are gone, and the error that comes first is the one to be told.
  }
}

/** The end of a process because process 0, which writes the run, could not go on. That one has said why. */
export class FirstProcessError extends AnatomyError {}

/**
 * Runs `work` in process 0 alone and gives its result to all; alone where there is no group.
 *
 * @param work gives what JSON can hold
 * @throws FirstProcessError in the other processes when it fails there
 */
export async function inFirst<T>(group: ProcessGroup | undefined, work: () => T | Promise<T>): Promise<T> {
  if (group === undefined) return work();
  if (group.rank === 0) {
    try {
      const result = await work();
      group.exchange(JSON.stringify({ result }));
      return result;
    } catch (error) {
      tellError(group, error as Error);
      throw error;
    }
  }
  const { result, error } = JSON.parse(group.exchange('')[0]!) as { result: T; error?: string };
  if (error !== undefined) throw new FirstProcessError(`process ${group.rank}: process 0 stopped: ${error}`);
  return result;
}
