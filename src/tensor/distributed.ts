/** Several processes that compute together: sums, gathers and broadcasts of their tensors, by LibTorch's c10d. */

import { noGrad } from './autograd.js';
import { tensor } from './fromData.js';
import { type GroupHandle, type GroupPlace, native, TensorError } from './native.js';
import { cat } from './ops.js';
import { tidy } from './scope.js';
import { Tensor } from './tensor.js';

/** What Gloo says where another process does not answer. */
const LOST = /gloo|connection|socket|timed out|timeout/i;

/** How long the others may take to answer before the one that is silent counts as gone. */
const ROLL_CALL = 5_000;

/**
 * A group of processes, each with the same calls in the same order. Sums come in an order that depends on the number
 * of processes alone, and all get the same bits.
 *
 * Every method throws a TensorError that names the processes that do not answer, once one is gone.
 */
export class ProcessGroup {
  /** The number of this process, from 0. */
  readonly rank: number;
  /** The number of processes. */
  readonly size: number;
  /** @internal */
  readonly handle: GroupHandle;

  /** Meets the other processes. @throws TensorError when they do not come in time */
  constructor(place: GroupPlace) {
    const { openGroup } = native();
    if (openGroup === undefined) {
      throw new TensorError(
        'the addon was built without Gloo, by which processes meet; install libgloo-dev and run `npx anatomy setup`',
      );
    }
    const { host, port, rank, size, timeout } = place;
    try {
      this.handle = openGroup(place);
    } catch (error) {
      if (!(error instanceof TensorError)) throw error;
      throw new TensorError(
        `process ${rank} of ${size} did not meet the others at ${host}:${port} within ${timeout / 1000} s (${firstLine(error)}); see that all ${size} are started and that MASTER_ADDR and MASTER_PORT are reachable from each machine`,
      );
    }
    this.rank = rank;
    this.size = size;
  }

  /** How many seconds sums and gathers took so far, the wait for the slowest process included. */
  get seconds(): number {
    return native().groupSeconds(this.handle);
  }

  /** Adds up the tensors of all processes, in place. @returns the tensor */
  sum(x: Tensor): Tensor {
    this.together(() => native().groupSum(this.handle, x.handle));
    return x;
  }

  /** Adds up numbers of all processes, in f64. */
  sumNumbers(numbers: readonly number[]): number[] {
    if (numbers.length === 0) return [];
    return noGrad(() =>
      tidy(() => [
        ...(this.sum(tensor([...numbers], [numbers.length], { dtype: 'f64' })).toArray() as Float64Array),
      ]),
    );
  }

  /**
   * Gives every process the tensors of all, in their order. They differ in their first dimension alone.
   *
   * @param x [n, …]
   * @param lengths n of each process
   */
  gather(x: Tensor, lengths: readonly number[]): Tensor[] {
    return noGrad(() => {
      const longest = Math.max(...lengths);
      const missing = longest - x.size(0);
      const [, ...rest] = x.shape;
      // Collectives take equal shapes.
      const nothing = () =>
        tensor(new Float32Array(0), [0, ...rest]).to({ dtype: x.dtype, device: x.device });
      const filler = () =>
        tensor(new Float32Array(missing * rest.reduce((product, side) => product * side, 1)), [
          missing,
          ...rest,
        ]).to({
          dtype: x.dtype,
          device: x.device,
        });
      if (longest === 0) return lengths.map(nothing);
      const padded = missing === 0 ? x.detach() : cat([x.detach(), filler()], 0);
      const all = this.together(() => native().groupGather(this.handle, padded.handle));
      return all.map((handle, rank) => {
        const own = new Tensor(handle);
        return lengths[rank] === longest ? own : own.narrow(0, 0, lengths[rank]!);
      });
    });
  }

  /** Gives every process the values that the first one's tensor has, in place. */
  broadcast(x: Tensor): void {
    this.together(() => native().groupBroadcast(this.handle, x.handle));
  }

  /**
   * Normalises a batch by the statistics of all processes' batches together, with their gradient.
   *
   * @param x [B, C, …]
   * @returns the statistics of each channel and the number of values, f64, that they are of
   */
  batchNorm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    epsilon: number,
  ): { output: Tensor; mean: Tensor; variance: Tensor; count: Tensor } {
    const made = this.together(() =>
      native().groupNorm(this.handle, x.handle, weight.handle, bias.handle, epsilon),
    );
    const [output, mean, variance, count] = made.map((handle) => new Tensor(handle));
    return { output: output!, mean: mean!, variance: variance!, count: count! };
  }

  /** Gives every process the texts of all, in their order. */
  exchange(text: string): string[] {
    const bytes = new TextEncoder().encode(text);
    const lengths = this.sumNumbers(
      Array.from({ length: this.size }, (_, rank) => (rank === this.rank ? bytes.length : 0)),
    );
    return tidy(() =>
      this.gather(tensor(bytes, [bytes.length]), lengths).map((part) =>
        new TextDecoder().decode(part.toArray() as Uint8Array),
      ),
    );
  }

  /**
   * Runs what needs all processes, such as a backward pass through {@link batchNorm} or {@link normRelu}. Where that fails it finds out which
   * of them is gone.
   *
   * @throws TensorError that names them
   */
  together<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof TensorError && error.code === 'libtorch' && LOST.test(error.message)))
        throw error;
      throw new TensorError(`${this.#missing()} (${firstLine(error)})`);
    }
  }

  /** Calls the roll. */
  #missing(): string {
    const self = `process ${this.rank} of ${this.size}`;
    const alone = `${self}: the store where the processes meet, most often at process 0, stopped or cannot be reached`;
    const addon = native();
    const answers = (rank: number) => addon.groupHear(this.handle, `here/${rank}`, ROLL_CALL) !== null;
    try {
      addon.groupTell(this.handle, `here/${this.rank}`, '');
      // A store that is cut off takes the word, and never gives it back.
      if (!answers(this.rank)) return alone;
      const gone = Array.from({ length: this.size }, (_, rank) => rank).filter((rank) => !answers(rank));
      if (gone.length === 0) return `${self}: lost contact with another process`;
      return `${self}: ${gone.length === 1 ? 'process' : 'processes'} ${gone.join(', ')} stopped or cannot be reached`;
    } catch {
      return alone;
    }
  }
}

function firstLine(error: Error): string {
  return error.message.split('\n')[0]!.replace(/^\[[^\]]*\] /, '');
}
