/** A differentiable function, which returns f(x) and writes ∇f(x) into `gradient`. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

export interface LbfgsOptions {
  /** The minimiser stops when no component of the gradient is larger than this in size. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
  /** The number of pairs of steps and gradient changes that approximate the curvature. */
  readonly memory?: number;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  /** The size of the gradient's largest component. */
  readonly gradientSize: number;
  readonly iterations: number;
  readonly evaluations: number;
  readonly converged: boolean;
}

/**
 * Minimises by limited-memory BFGS (Nocedal & Wright 2006, algorithm 7.5) with a line search for the strong Wolfe
 * conditions (algorithms 3.5 and 3.6). `start` is not changed.
 */
export function minimize(
  objective: Objective,
  start: Float64Array,
  { tolerance = 1e-6, maxIterations = 1000, memory = 10 }: LbfgsOptions = {},
): Minimum {
  let x = Float64Array.from(start);
  let gradient = new Float64Array(x.length);
  let value = objective(x, gradient);
  let evaluations = 1;
  let iterations = 0;
  const pairs: Pair[] = [];
  while (iterations < maxIterations && largest(gradient) > tolerance) {
    const direction = quasiNewtonDirection(gradient, pairs);
    const firstStep = pairs.length > 0 ? 1 : Math.min(1, 1 / norm(gradient));
    const found = wolfeStep(objective, x, value, gradient, direction, firstStep);
    evaluations += found.evaluations;
    if (found.point === undefined) {
      // Curvature gathered far away can mislead, so it is dropped once. If there is none left, rounding allows no
      // further descent.
      if (pairs.length === 0) break;
      pairs.length = 0;
      continue;
    }
    const next = found.point;
    const step = sum(next.x, x, -1);
    const change = sum(next.gradient, gradient, -1);
    const curvature = inner(step, change);
    if (curvature > 0) {
      pairs.push({ step, change, rho: 1 / curvature });
      if (pairs.length > memory) pairs.shift();
    }
    ({ x, gradient, value } = next);
    iterations += 1;
  }
  const gradientSize = largest(gradient);
  return { x, value, gradientSize, iterations, evaluations, converged: gradientSize <= tolerance };
}

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  readonly rho: number;
}

interface Point {
  readonly x: Float64Array<ArrayBuffer>;
  readonly gradient: Float64Array<ArrayBuffer>;
  readonly value: number;
  readonly t: number;
  readonly slope: number;
}

/** The quasi-Newton direction −H ∇f by the two-loop recursion (algorithm 7.4). */
function quasiNewtonDirection(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.map((v) => -v);
  const alphas = new Float64Array(pairs.length);
  for (let p = pairs.length - 1; p >= 0; p -= 1) {
    const { step, change, rho } = pairs[p]!;
    alphas[p] = rho * inner(step, direction);
    addScaled(direction, change, -alphas[p]!);
  }
  const newest = pairs.at(-1);
  if (newest) {
    const scale = 1 / (newest.rho * inner(newest.change, newest.change));
    for (let i = 0; i < direction.length; i += 1) direction[i]! *= scale;
  }
  for (let p = 0; p < pairs.length; p += 1) {
    const { step, change, rho } = pairs[p]!;
    addScaled(direction, step, alphas[p]! - rho * inner(change, direction));
  }
  return direction;
}

const SUFFICIENT_DECREASE = 1e-4;
const CURVATURE = 0.9;
const MOST_TRIALS = 40;

/** Finds a step along `direction` that meets the strong Wolfe conditions; no point when there is none. */
function wolfeStep(
  objective: Objective,
  x: Float64Array,
  value: number,
  gradient: Float64Array,
  direction: Float64Array,
  firstStep: number,
): { point?: Point; evaluations: number } {
  const slope = inner(gradient, direction);
  let evaluations = 0;
  if (!(slope < 0)) return { evaluations };
  // Close to the minimum the decrease is lost in the rounding of f, but the slope still tells the way.
  const rounding = 1e-15 * Math.abs(value);
  const at = (t: number): Point => {
    evaluations += 1;
    const moved = sum(x, direction, t);
    const slopeVector = new Float64Array(x.length);
    const f = objective(moved, slopeVector);
    return { x: moved, gradient: slopeVector, value: f, t, slope: inner(slopeVector, direction) };
  };
  const decreases = (point: Point): boolean =>
    point.value <= value + SUFFICIENT_DECREASE * point.t * slope + rounding;
  const isFlat = (point: Point): boolean => Math.abs(point.slope) <= -CURVATURE * slope;

  let low: End = { t: 0, value, slope };
  let high: End | undefined;
  let t = firstStep;
  while (evaluations < MOST_TRIALS) {
    const trial = at(t);
    // A step out of the domain gives NaN, which is no decrease either.
    if (!decreases(trial) || trial.value > low.value + rounding) high = trial;
    else {
      if (isFlat(trial)) return { point: trial, evaluations };
      const towards = high === undefined ? 1 : high.t - low.t;
      if (trial.slope * towards >= 0) high = low;
      low = trial;
    }
    t = high === undefined ? 2 * t : between(low, high);
  }
  return { evaluations };
}

/** One end of the bracket. The end `low` always fulfils the decrease, and its slope points into the bracket. */
type End = Pick<Point, 't' | 'value' | 'slope'>;

/** The minimum of the cubic through both ends (eq. 3.59), kept off the ends; the middle when there is no cubic. */
function between(low: End, high: End): number {
  const width = high.t - low.t;
  const d1 = low.slope + high.slope - (3 * (high.value - low.value)) / width;
  const d2 = Math.sign(width) * Math.sqrt(d1 * d1 - low.slope * high.slope);
  const share = 1 - (high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2);
  return low.t + width * (share > 0 && share < 1 ? Math.min(0.9, Math.max(0.1, share)) : 0.5);
}

function inner(a: Float64Array, b: Float64Array): number {
  let product = 0;
  for (let i = 0; i < a.length; i += 1) product += a[i]! * b[i]!;
  return product;
}

/** a + factor · b */
function sum(a: Float64Array, b: Float64Array, factor: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(a);
  addScaled(result, b, factor);
  return result;
}

function addScaled(target: Float64Array, source: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i += 1) target[i]! += factor * source[i]!;
}

function norm(a: Float64Array): number {
  return Math.sqrt(inner(a, a));
}

function largest(a: Float64Array): number {
  let size = 0;
  for (let i = 0; i < a.length; i += 1) size = Math.max(size, Math.abs(a[i]!));
  return size;
}
