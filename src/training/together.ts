/** A batch that several processes compute together, each with its share of it. */
import type { Method, Pairs } from '../methods/index.js';
import { noGrad, ops, type ProcessGroup, type Tensor, tidy } from '../tensor/index.js';

export interface Together {
  readonly group: ProcessGroup;
  /**
   * The batch of which batch norm takes its statistics: `sync`, that of all processes, as if they were one; `local`,
   * that of each process, as where one process drives several GPUs.
   */
  readonly norms: 'sync' | 'local';
  /** The samples of all processes. */
  readonly whole: Pairs;
  /** The shares of the processes in each micro-batch, in the order of the batch. */
  readonly parts: readonly (readonly Pairs[])[];
}

/**
 * Divides a batch: each micro-batch into a share for every process. Undefined where a share would be too small, or lack
 * a modality that others have; then every process computes the whole batch.
 *
 * @param microBatch the number of pairs in one forward pass of all processes together
 * @param size the number of processes
 */
export function divideBatch(
  whole: Pairs,
  { microBatch, size, norms }: { microBatch: number; size: number; norms: Together['norms'] },
): Together['parts'] | undefined {
  const pairs = whole.ids.length;
  const parts = evenLengths(pairs, Math.ceil(pairs / microBatch)).map(([start, length]) =>
    evenLengths(length, size).map(([first, count]) => pairsIn(whole, start + first, count)),
  );
  const present = Object.entries(whole.present ?? {}).filter(([, positions]) => positions.length > 0);
  // The statistics of one value are no statistics.
  const fewest = norms === 'local' ? 2 : 1;
  const fits = ({ ids, present: own }: Pairs) =>
    ids.length >= fewest && present.every(([modality]) => own?.[modality]?.length !== 0);
  return parts.flat().every(fits) ? parts : undefined;
}

/** Splits a length into parts that differ by one at most. @returns the start and length of each */
export function evenLengths(whole: number, count: number): (readonly [start: number, length: number])[] {
  const longer = whole % count;
  const least = Math.floor(whole / count);
  return Array.from({ length: count }, (_, i) => {
    return [i * least + Math.min(i, longer), least + (i < longer ? 1 : 0)] as const;
  });
}

/** The samples of a batch from `start` on. */
export function pairsIn({ ids, rows, epoch, present = {} }: Pairs, start: number, length: number): Pairs {
  const end = start + length;
  const inside = Object.entries(present).map(([modality, positions]) => {
    const own = positions.filter((position) => position >= start && position < end);
    return [modality, own.map((position) => position - start)] as const;
  });
  const gaps = inside.filter(([, positions]) => positions.length < length);
  return {
    ids: ids.slice(start, end),
    rows: rows.slice(start, end),
    epoch,
    ...(gaps.length === 0 ? {} : { present: Object.fromEntries(gaps) }),
  };
}

/**
 * Gives every process the rows of all, in the order of the batch: those of the first micro-batch by process, then those
 * of the next.
 *
 * @param own for each micro-batch, the rows of this process by name, [n, …]
 */
export function gatherRows(
  own: readonly Readonly<Record<string, Tensor>>[],
  group: ProcessGroup,
): Readonly<Record<string, Tensor>>[] {
  const names = Object.keys(own[0] ?? {});
  const { rank, size } = group;
  const counts = own.flatMap((rows) => names.map((name) => rows[name]!.size(0)));
  const everyone = group.sumNumbers(
    Array.from({ length: size }, (_, one) => counts.map((count) => (one === rank ? count : 0))).flat(),
  );
  const gathered = own.map((rows, micro) =>
    names.map((name, n) => {
      const place = micro * names.length + n;
      const lengths = Array.from({ length: size }, (_, one) => everyone[one * counts.length + place]!);
      return group.gather(rows[name]!, lengths);
    }),
  );
  return gathered.flatMap((of) =>
    Array.from({ length: size }, (_, one) => {
      return Object.fromEntries(names.map((name, n) => [name, of[n]![one]!] as const));
    }),
  );
}

/** From so many values on a gradient is sent by itself; smaller ones go together, as each message takes its time. */
const LARGE = 2 ** 16;

/** Adds up the gradients of all processes. A parameter that no process has a gradient of stays without one. */
export function sumGradients(method: Method, group: ProcessGroup): void {
  noGrad(() =>
    tidy(() => {
      const parameters = [...method.parameters().values()];
      const known = group.sumNumbers(parameters.map(({ grad }) => (grad === null ? 0 : 1)));
      const trained = parameters.filter((_, i) => known[i]! > 0);
      for (const parameter of trained) parameter.grad ??= parameter.mul(0);
      const gradients = trained.map(({ grad }) => grad!);
      const isLarge = (gradient: Tensor) => lengthOf(gradient) >= LARGE;
      for (const gradient of gradients.filter(isLarge)) group.sum(gradient);
      const small = gradients.filter((gradient) => !isLarge(gradient));
      if (small.length === 0) return;
      const flat = ops.cat(
        small.map((gradient) => ops.reshape(gradient, [-1])),
        0,
      );
      group.sum(flat);
      let start = 0;
      for (const gradient of small) {
        const length = lengthOf(gradient);
        ops.copy_(gradient, ops.reshape(flat.narrow(0, start, length), [...gradient.shape]));
        start += length;
      }
    }),
  );
}

function lengthOf({ shape }: Tensor): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** The share of one process in a divided batch, as positions in it. */
export function positionsOf(parts: Together['parts'], rank: number): number[] {
  let start = 0;
  return parts.flatMap((micro) =>
    micro.flatMap(({ ids }, one) => {
      start += ids.length;
      return one === rank ? ids.map((_, i) => start - ids.length + i) : [];
    }),
  );
}
