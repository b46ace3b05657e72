import { type BootstrapOptions, bootstrapInterval } from '../../../metrics/bootstrap.js';
import type { Claim, Contrast, Interval, MeasureName, PairMeasure } from '../../results/pairsResult.js';
import type { Computed } from '../../results/stored.js';

/** How each claim is compared with chance: by how many times its value is less, or by how much it is more. */
const contrasts: Readonly<Record<Claim, Contrast['kind']>> = {
  consistency: 'ratio',
  global: 'ratio',
  distance: 'ratio',
  retrieval: 'difference',
  agreement: 'difference',
};

interface PairValues {
  readonly name: MeasureName;
  /** The value of each pair; NaN where it has none. */
  readonly value: Float64Array;
  readonly chance: Float64Array;
}

/** Collects a value and its chance level for each pair. Turns them into means with intervals over subjects. */
export class PairTally {
  readonly #subjects: readonly string[];
  readonly #values = new Map<string, PairValues>();

  /** @param subjects the subject of each measured pair */
  constructor(subjects: readonly string[]) {
    this.#subjects = subjects;
  }

  /** @param pair the number of the pair in `subjects` */
  add(name: MeasureName, pair: number, value: number, chance: number): void {
    const key = measureKey(name);
    const undefinedValues = () => new Float64Array(this.#subjects.length).fill(Number.NaN);
    const known = this.#values.get(key) ?? { name, value: undefinedValues(), chance: undefinedValues() };
    this.#values.set(key, known);
    known.value[pair] = value;
    known.chance[pair] = chance;
  }

  /** All measures, in the order in which they were first added. */
  measures(bootstrap: BootstrapOptions): Computed<PairMeasure>[] {
    return [...this.#values.values()].map((values) => this.#measure(values, bootstrap));
  }

  #measure({ name, value, chance }: PairValues, bootstrap: BootstrapOptions): Computed<PairMeasure> {
    const { zone } = name;
    const rest = this.#values.get(measureKey({ ...name, zone: 'rest' }))?.value;
    const pairs = this.#pairsWith(value, chance);
    const kind = contrasts[name.claim];
    const compared = (
      other: Float64Array,
      chosen: readonly number[],
      how: Contrast['kind'],
    ): Computed<Contrast> => ({
      kind: how,
      ...this.#interval([value, other], chosen, how === 'ratio' ? ratio : difference, bootstrap),
    });
    const againstRest =
      rest !== undefined && (zone === 'inside' || zone === 'around')
        ? compared(rest, this.#pairsWith(value, chance, rest), 'difference')
        : undefined;
    return {
      key: measureKey(name),
      ...name,
      ...this.#interval([value], pairs, first, bootstrap),
      pairs: pairs.length,
      subjects: new Set(pairs.map((pair) => this.#subjects[pair]!)).size,
      chance: this.#interval([chance], pairs, first, bootstrap),
      againstChance: compared(chance, pairs, kind),
      againstRest,
    };
  }

  #pairsWith(...values: readonly Float64Array[]): number[] {
    return this.#subjects.flatMap((_, pair) =>
      values.some((one) => Number.isNaN(one[pair]!)) ? [] : [pair],
    );
  }

  /**
   * The bootstrap interval for a function of the means over the chosen pairs. Without two subjects there is no
   * interval.
   */
  #interval(
    values: readonly Float64Array[],
    chosen: readonly number[],
    of: (...means: number[]) => number,
    bootstrap: BootstrapOptions,
  ): Computed<Interval> {
    const subjects = [...new Set(chosen.map((pair) => this.#subjects[pair]!))];
    const numberOf = new Map(subjects.map((subject, s) => [subject, s]));
    const counts = new Float64Array(subjects.length);
    const sums = values.map(() => new Float64Array(subjects.length));
    for (const pair of chosen) {
      const s = numberOf.get(this.#subjects[pair]!)!;
      counts[s]! += 1;
      values.forEach((value, v) => {
        sums[v]![s]! += value[pair]!;
      });
    }
    // A draw of subjects needs only the sum over each subject's pairs.
    const metric = (weights: Float64Array): number => {
      const count = dot(weights, counts);
      return of(...sums.map((sum) => dot(weights, sum) / count));
    };
    if (subjects.length < 2) {
      const value = metric(new Float64Array(subjects.length).fill(1));
      return { value, low: Number.NaN, high: Number.NaN };
    }
    const { value, low, high } = bootstrapInterval(metric, subjects, bootstrap);
    return { value, low, high };
  }
}

export function measureKey({ claim, source, features, direction, grid, zone }: MeasureName): string {
  const size = grid === undefined ? undefined : `${grid}x${grid}`;
  return [claim, source, features, direction, size, zone].filter((part) => part !== undefined).join('/');
}

const first = (mean: number): number => mean;
const ratio = (mean: number, other: number): number => (other === 0 ? Number.NaN : mean / other);
const difference = (mean: number, other: number): number => mean - other;

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}
