/** One training step, on the whole batch at once or in micro-batches. */
import type { Batch, Forward, Method, Pairs, Term } from '../methods/index.js';
import { normsAcross, recomputingInputs } from '../nn/index.js';
import type { Sgd } from '../optim/index.js';
import { autocast, type Device, noGrad, ops, type Tensor, tidy } from '../tensor/index.js';
import { Balancing } from './balancing.js';
import { Inspection, type Pull } from './inspect.js';
import { autocastDtype, type LossScaler, type Precision } from './precision.js';
import { evenLengths, gatherRows, pairsIn, sumGradients, type Together } from './together.js';

export interface StepOptions {
  method: Method;
  optimizer: Sgd;
  batch: Batch;
  learningRate: number;
  precision: Precision;
  device: Device;
  /** The number of pairs in one forward pass; default: the whole batch. */
  microBatch?: number;
  /** `cheap`: the inputs of convolutions are computed again in the backward pass, to the bit. Default: they are kept. */
  recompute?: 'none' | 'cheap';
  /** The other processes that compute this step, of which `batch` is the share of this one; absent: there are none. */
  together?: Together;
  /** The loss scaler of fp16; absent for other precisions. */
  scaler?: LossScaler;
  /**
   * Whether the step also compares with chance and measures the terms' gradients, which costs a backward pass for each
   * term.
   */
  inspect?: boolean;
}

export interface StepResult {
  /** The value of the objective, the weighted sum of the terms. */
  readonly loss: number;
  /** The value of every term without its weight, terms of weight 0 included. */
  readonly terms: Readonly<Record<string, number>>;
  /** Whether the objective is a finite number. If it is not, nothing was updated. */
  readonly finite: boolean;
  /** Whether the optimiser's step was left out, because fp16's gradients overflowed. */
  readonly skipped: boolean;
  /**
   * The values of the inspection by name, `chance/TERM`, `gradientNorm/TERM/MAP` and `gradientRatio/MAP`; empty without
   * one.
   */
  readonly inspection: Readonly<Record<string, number>>;
}

/** Words a loss that is not finite, with its terms, of which one is to blame. */
export function lossFault({ loss, terms }: Pick<StepResult, 'loss' | 'terms'>): string {
  const each = Object.entries(terms).map(([name, value]) => `${name} ${value}`);
  return `the loss is ${loss} (${each.join(', ')})`;
}

/** The objective of a batch, with its gradients in the parameters where it is finite. */
interface Pass {
  readonly loss: number;
  readonly terms: Readonly<Record<string, number>>;
  readonly inspection: Readonly<Record<string, number>>;
  readonly memory: Readonly<Record<string, Tensor>>;
}

/** Makes one update: views, forward, the objective, backward, optimiser. It leaves no tensor behind. */
export function trainingStep(options: StepOptions): StepResult {
  const { method, optimizer, batch, learningRate, scaler, together, microBatch = batch.ids.length } = options;
  return tidy(() => {
    optimizer.zeroGrad();
    const { loss, terms, inspection, memory } =
      together !== undefined
        ? together.group.together(() => inChunks(options, sharesOf(batch, together)))
        : microBatch >= batch.ids.length
          ? inOnePass(options)
          : inChunks(options, evenly(batch, Math.ceil(batch.ids.length / microBatch)));
    if (together !== undefined) sumGradients(method, together.group);
    const finite = Number.isFinite(loss);
    const sound = finite && (scaler === undefined || unscale(method, scaler.scale));
    if (sound) optimizer.step(learningRate);
    optimizer.zeroGrad();
    if (!finite) return { loss, terms, finite, skipped: false, inspection: {} };
    scaler?.update(sound);
    method.afterStep?.(memory, together?.whole ?? batch);
    return { loss, terms, finite, skipped: !sound, inspection };
  });
}

function inOnePass(options: StepOptions): Pass {
  const { method, batch, scaler, inspect = false } = options;
  // The graph holds what backward needs and frees it as it goes; a handle here would keep every activation to the end.
  const { objective, ...pass } = tidy(() => {
    const forward = forwardPass(options, batch, { record: true });
    const compared = method.comparesBatch ? method.loss!(forward.embeddings, batch) : {};
    const objective = weightedSum({ ...forward.perPair, ...compared });
    const loss = objective.item();
    const inspection = new Inspection(method, batch);
    const parts = [...pulls(forward.perPair, 'perPair'), ...pulls(compared, 'batch')];
    if (inspect && Number.isFinite(loss)) inspection.add(forward, batch, parts);
    if (Number.isFinite(loss)) {
      const balancing = new Balancing(method);
      balancing.add(parts, scaler?.scale);
      balancing.tell();
    }
    const terms = { ...values(forward.perPair), ...values(compared) };
    return { objective, loss, terms, inspection: inspection.values(), memory: forward.memory };
  });
  if (Number.isFinite(pass.loss)) scaled(objective, scaler).backward();
  return pass;
}

/**
 * Computes the same objective in a fraction of the memory, by gradient caching (Gao et al. 2021). First come the
 * embeddings of the whole batch without graph, and the loss over them. Then each micro-batch is passed again with
 * graph, and takes the cached gradients. Terms that stand per pair just add up. Batch norm sees one micro-batch at a
 * time, and records it in the second pass only.
 *
 * Several processes do the same, each with its share of every micro-batch: every one of them has the embeddings of all,
 * and so the whole loss, and passes the gradients of its own rows on. The sum over the processes is the gradient, to
 * the factor.
 */
function inChunks(options: StepOptions, chunks: readonly Batch[]): Pass {
  const { method, batch, scaler, together, inspect = false } = options;
  const whole = together?.whole ?? batch;
  const countOf = (pairs: Pairs) => method.perPairCount?.(pairs) ?? pairs.ids.length;
  // Where nothing is compared per pair, its terms are 0 and any share is right.
  const pairs = Math.max(1, countOf(whole));
  const terms: Record<string, number> = {};
  let cached: Cached = { loss: 0, terms: {}, gradients: [] };
  let loss = 0;
  /** What this process adds to the loss by the terms per pair. */
  let own = 0;
  // One process must not stop before the others do, as they would wait for it.
  const goesOn = () => together !== undefined || Number.isFinite(loss);
  const inspection = new Inspection(method, whole);
  const balancing = new Balancing(method);
  const memories: Readonly<Record<string, Tensor>>[] = [];

  /** Takes a micro-batch into account. @returns what is to be differentiated */
  const add = (forward: Forward, i: number): Tensor => {
    const chunk = chunks[i]!;
    const share = countOf(chunk) / pairs;
    for (const [name, { value, weight }] of Object.entries(forward.perPair)) {
      terms[name] = (terms[name] ?? 0) + share * value.item();
      own += weight * share * value.item();
      loss += weight * share * value.item();
    }
    const trained = Object.entries(forward.perPair).filter(([, { weight }]) => weight !== 0);
    const parts: Pull[] = [
      ...trained.map(([name, { value, weight }]) => {
        return { name, kind: 'perPair' as const, value: value.mul(weight * share) };
      }),
      ...cached.gradients.map(({ name, of }) => {
        return { name, kind: 'batch' as const, value: alongGradient(forward.embeddings, of[i]!) };
      }),
    ];
    if (inspect && goesOn()) inspection.add(forward, chunk, parts, share);
    if (goesOn()) balancing.add(parts, scaler?.scale);
    return sumOf(parts.map(({ value }) => value));
  };

  const once = together !== undefined && chunks.length === 1;
  if (method.comparesBatch && !once) {
    const embeddings = noGrad(() =>
      chunks.map((chunk) => tidy(() => forwardPass(options, chunk, { record: false }).embeddings)),
    );
    cached = cacheGradients(options, embeddings);
    loss = cached.loss;
  }
  for (const [i, chunk] of chunks.entries()) {
    if (!goesOn()) break;
    const { objective, memory } = tidy(() => {
      const forward = forwardPass(options, chunk, { record: true });
      // A single pass can keep its graph while the others' embeddings come.
      if (once && method.comparesBatch) cached = cacheGradients(options, [forward.embeddings]);
      return { objective: add(forward, i), memory: forward.memory, kept: cached.gradients };
    });
    if (goesOn()) scaled(objective, scaler).backward();
    memories.push(memory);
  }
  if (together !== undefined) {
    const names = Object.keys(terms);
    const sums = together.group.sumNumbers([own, ...names.map((name) => terms[name]!)]);
    loss = cached.loss + sums[0]!;
    for (const [i, name] of names.entries()) terms[name] = sums[i + 1]!;
    inspection.sumOver(together.group);
  }
  if (goesOn()) balancing.tell(together?.group);
  const all = together === undefined ? memories : gatherRows(memories, together.group);
  const joined = Object.keys(all[0] ?? {}).map((name) => {
    const rows = all.map((one) => one[name]!);
    return [name, ops.cat(rows, 0)] as const;
  });
  return {
    loss,
    terms: { ...cached.terms, ...terms },
    inspection: inspection.values(),
    memory: Object.fromEntries(joined),
  };
}

/** Gives the shares of this process of each micro-batch. */
function sharesOf(batch: Batch, { parts, group }: Together): Batch[] {
  let start = 0;
  return parts.map((micro) => {
    const length = micro[group.rank]!.ids.length;
    start += length;
    return part(batch, start - length, length);
  });
}

interface Cached {
  /** The weighted sum of the terms that compare the batch. */
  readonly loss: number;
  readonly terms: Readonly<Record<string, number>>;
  /**
   * The weighted gradients of each trained term: one entry for each micro-batch, which maps embeddings to gradients.
   */
  readonly gradients: readonly {
    readonly name: string;
    readonly of: readonly Readonly<Record<string, Tensor>>[];
  }[];
}

/** @param own the embeddings of each micro-batch, or of this process's shares of them */
function cacheGradients(
  { method, batch, together }: StepOptions,
  own: readonly Readonly<Record<string, Tensor>>[],
): Cached {
  return tidy(() => {
    const parts = together === undefined ? own : gatherRows(own, together.group);
    const names = Object.keys(parts[0]!);
    const leaves = names.map((name) => {
      const joined = noGrad(() =>
        ops.cat(
          parts.map((one) => one[name]!),
          0,
        ),
      );
      // The embeddings are f32, so that gradients do not underflow before the second pass scales them.
      const wide = joined.dtype === 'f64' ? joined : joined.to({ dtype: 'f32' });
      return [name, wide.setRequiresGrad()] as const;
    });
    const compared = method.loss!(Object.fromEntries(leaves), together?.whole ?? batch);
    const gradients = pulls(compared, 'batch').map(({ name, value }) => {
      for (const [, leaf] of leaves) leaf.grad = null;
      value.backward(null, { retainGraph: true });
      const start = new Map(names.map((leafName) => [leafName, 0]));
      const of = parts.map((embeddings) => {
        const slices = leaves.flatMap(([leafName, { grad }]) => {
          const first = start.get(leafName)!;
          const count = embeddings[leafName]!.size(0);
          start.set(leafName, first + count);
          return grad === null ? [] : [[leafName, grad.narrow(0, first, count)] as const];
        });
        return Object.fromEntries(slices);
      });
      // Of several processes each keeps its own rows: the rank-th of every micro-batch.
      const mine = together && of.filter((_, i) => i % together.group.size === together.group.rank);
      return { name, of: mine ?? of };
    });
    const terms = values(compared);
    const loss = Object.entries(compared).reduce((sum, [name, { weight }]) => sum + weight * terms[name]!, 0);
    return { loss, terms, gradients };
  });
}

/** Makes a scalar whose gradient at the embeddings is the given one. */
function alongGradient(
  embeddings: Readonly<Record<string, Tensor>>,
  gradient: Readonly<Record<string, Tensor>>,
): Tensor {
  return sumOf(Object.entries(gradient).map(([name, g]) => embeddings[name]!.mul(g).sum()));
}

/**
 * Splits a batch into micro-batches that differ by one pair at most. A short one would weigh as much as the others in
 * batch norm's running statistics.
 */
function evenly(batch: Batch, count: number): Batch[] {
  return evenLengths(batch.ids.length, count).map(([start, length]) => part(batch, start, length));
}

function part(batch: Batch, start: number, length: number): Batch {
  const end = start + length;
  const images = Object.entries(batch.images).map(([modality, all]) => {
    const positions = batch.present?.[modality];
    const first = positions?.filter((position) => position < start).length ?? start;
    const count = positions?.filter((position) => position >= start && position < end).length ?? length;
    return [modality, all.narrow(0, first, count)] as const;
  });
  return { images: Object.fromEntries(images), ...pairsIn(batch, start, length) };
}

function forwardPass(
  { method, precision, device, together, recompute }: StepOptions,
  batch: Batch,
  options: { record: boolean },
): Forward {
  const views = method.views(batch);
  const dtype = autocastDtype(precision);
  const plain = () => method.forward(views, options);
  const forward = () => (recompute === 'cheap' ? recomputingInputs(plain) : plain());
  const pass = () => (together?.norms === 'sync' ? normsAcross(together.group, forward) : forward());
  return dtype === null ? pass() : autocast(dtype, pass, device);
}

/** The terms that are trained on, weighted. */
function pulls(terms: Readonly<Record<string, Term>>, kind: Pull['kind']): Pull[] {
  return Object.entries(terms)
    .filter(([, { weight }]) => weight !== 0)
    .map(([name, { value, weight }]) => ({ name, kind, value: weight === 1 ? value : value.mul(weight) }));
}

function weightedSum(terms: Readonly<Record<string, Term>>): Tensor {
  return sumOf(pulls(terms, 'batch').map(({ value }) => value));
}

function sumOf(values: readonly Tensor[]): Tensor {
  return values.reduce((sum, value) => sum.add(value));
}

function values(terms: Readonly<Record<string, Term>>): Record<string, number> {
  return Object.fromEntries(Object.entries(terms).map(([name, { value }]) => [name, value.item()]));
}

function scaled(objective: Tensor, scaler: LossScaler | undefined): Tensor {
  return scaler === undefined ? objective : objective.mul(scaler.scale);
}

/** Divides the gradients by the scale. @returns whether all are finite */
function unscale(method: Method, scale: number): boolean {
  return noGrad(() =>
    tidy(() => {
      const gradients = [...method.parameters().values()].flatMap((parameter) => parameter.grad ?? []);
      ops.foreachMulScalar_(gradients, 1 / scale);
      return gradients.every((gradient) => Number.isFinite(gradient.sum().item()));
    }),
  );
}
