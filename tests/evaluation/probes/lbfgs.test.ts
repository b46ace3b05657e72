import { describe, expect, it } from 'vitest';
import { minimize, type Objective } from '../../../src/evaluation/probes/lbfgs.js';

const rosenbrock: Objective = (x, gradient) => {
  let value = 0;
  gradient.fill(0);
  for (let i = 0; i + 1 < x.length; i += 1) {
    const a = x[i + 1]! - x[i]! ** 2;
    const b = 1 - x[i]!;
    value += 100 * a * a + b * b;
    gradient[i]! += -400 * a * x[i]! - 2 * b;
    gradient[i + 1]! += 200 * a;
  }
  return value;
};

describe('minimize', () => {
  it('finds the valley’s end of Rosenbrock’s function in 20 dimensions', () => {
    const start = Float64Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? -1.2 : 1));
    const kept = Float64Array.from(start);
    const found = minimize(rosenbrock, start, { tolerance: 1e-9 });
    expect(found.converged).toBe(true);
    expect(found.gradientSize).toBeLessThanOrEqual(1e-9);
    for (const v of found.x) expect(v).toBeCloseTo(1, 8);
    expect(found.iterations).toBeLessThan(200);
    expect(found.evaluations).toBeLessThan(2 * found.iterations);
    expect(start).toEqual(kept);
  });

  it('needs about as many iterations as SciPy’s (375) on a badly scaled quadratic', () => {
    const scales = Float64Array.from({ length: 30 }, (_, i) => 10 ** (i / 6)); // condition number 7·10⁴
    const found = minimize(
      (x, gradient) => {
        let value = 0;
        for (let i = 0; i < x.length; i += 1) {
          gradient[i] = scales[i]! * (x[i]! - i);
          value += (scales[i]! * (x[i]! - i) ** 2) / 2;
        }
        return value;
      },
      new Float64Array(30),
      { tolerance: 1e-8, memory: 40 },
    );
    expect(found.converged).toBe(true);
    expect(found.iterations).toBeLessThan(450);
    for (const [i, v] of found.x.entries()) expect(v).toBeCloseTo(i, 6);
  });

  it('steps back from points where the function does not exist', () => {
    // −log x + x on x > 0, from a start whose first steps may overshoot below 0.
    const found = minimize(
      (x, gradient) => {
        gradient[0] = 1 - 1 / x[0]!;
        return x[0]! > 0 ? x[0]! - Math.log(x[0]!) : Number.NaN;
      },
      new Float64Array([1e-3]),
      { tolerance: 1e-10 },
    );
    expect(found.x[0]).toBeCloseTo(1, 8);
  });

  it('does not take a hilltop for the valley', () => {
    // −x + 5x² − 3x³ from 0: the first trial, x = 1, is level but higher.
    const found = minimize(
      ([x = 0], gradient) => {
        gradient[0] = -1 + 10 * x - 9 * x * x;
        return -x + 5 * x * x - 3 * x ** 3;
      },
      new Float64Array(1),
      { tolerance: 1e-12 },
    );
    expect(found.x[0]).toBeCloseTo(1 / 9, 10);
  });

  it('tells when it stopped early', () => {
    const found = minimize(rosenbrock, new Float64Array([-1.2, 1]), { maxIterations: 3 });
    expect(found).toMatchObject({ iterations: 3, converged: false });
  });

  it('ends without converging when rounding allows no further descent', () => {
    const found = minimize(rosenbrock, new Float64Array([-1.2, 1]), { tolerance: 0, maxIterations: 500 });
    expect(found.value).toBeLessThan(1e-20);
  });
});
