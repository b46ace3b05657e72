/** Sentences on the results of a study, and the facts that it takes to repeat it. */

import { baselineMeaning, imagesName } from '../../evaluation/results/names.js';
import { fixed, interval, probability, signed, signedInterval } from '../../text/numbers.js';
import type { Verdict } from '../judged/probeSection.js';
import type { NamedFact, StudyDifference, StudyFamily, StudyResults } from '../judged/study.js';

/** The largest number of rows that have a sentence each. */
const TOLD = 6;
/** A two-sided p-value below this level counts as a difference. */
const LEVEL = 0.05;

/** A sentence for each planned comparison, or else for each row of the first table against the untrained encoder. */
export function studyVerdicts(results: readonly StudyResults[], families: readonly StudyFamily[]): Verdict[] {
  const [first] = results;
  const widest = first?.images.at(-1);
  if (first === undefined || widest === undefined) {
    return [{ before: 'Nothing has been judged on labels yet.', strong: '', after: '' }];
  }
  const images = imagesName(widest);
  const rows = first.rows.flatMap((row) => {
    const found = row.values[widest];
    return found === undefined || found.value === null ? [] : [{ ...row, ...found, value: found.value }];
  });
  const own = rows.filter(({ source }) => source === 'run');
  const [best] = [...own].sort((a, b) => b.value - a.value);
  const highest =
    best === undefined
      ? []
      : [
          {
            before: `Highest in the table “${first.title}”, ${images}, is ${best.name}: `,
            strong: fixed(best.value),
            after: `${best.low === null ? '' : ` (95 % interval ${interval(best.low, best.high)})`}. The highest is not the best where the others cannot be told from it.`,
          },
        ];
  const compared = families.flatMap(({ on, comparisons }) =>
    comparisons.map((one) => verdict(`${on === undefined ? '' : `${on}: `}${one.name}`, one, one.holm)),
  );
  if (compared.length > 0) return [...highest, ...compared];
  const against = own.flatMap(({ name, against: { untrained } }) => {
    const difference = untrained[widest];
    return difference === undefined
      ? []
      : [verdict(`${name} against ${baselineMeaning.untrained}`, difference)];
  });
  return [...highest, ...against.slice(0, TOLD)];
}

/**
 * Writes the sentence on one comparison.
 *
 * @param holm the p-value after Holm’s correction over the family; undefined for a comparison without a family
 */
function verdict(
  name: string,
  { value, low, high, minimumDetectable }: StudyDifference,
  holm?: number | null,
): Verdict {
  const found =
    holm != null && holm >= LEVEL
      ? 'not shown to differ'
      : low !== null && low > 0
        ? 'higher'
        : high !== null && high < 0
          ? 'lower'
          : 'not shown to differ';
  const p = holm == null ? '' : `, p ${probability(holm)} after Holm’s correction`;
  const small =
    minimumDetectable === null
      ? ''
      : `; differences below ${fixed(minimumDetectable)} would mostly be missed`;
  return {
    before: `${name}: `,
    strong: found,
    after: `, difference ${signed(value)} (95 % interval ${signedInterval(low, high)})${p}${small}.`,
  };
}

export interface ToldProvenance {
  readonly tool?: string;
  readonly node?: string;
  readonly torch?: string;
  readonly platform?: string;
  readonly cpu?: string;
  readonly cores?: number;
  readonly threads?: number;
  readonly device?: string;
  readonly precision?: string;
  readonly data?: string;
  readonly dataHash?: string;
  readonly seed?: number;
}

/** Each value once, however many runs have it. */
export function provenanceFacts(all: readonly ToldProvenance[]): NamedFact[] {
  const values = (of: (one: ToldProvenance) => string | undefined) =>
    [...new Set(all.flatMap((one) => of(one) ?? []))].join('; ');
  const hardware = ({ device, cpu, cores, threads }: ToldProvenance) =>
    device === undefined
      ? undefined
      : `${device}; ${cpu ?? 'unknown CPU'}, ${cores ?? '?'} cores, ${threads ?? '?'} ${threads === 1 ? 'thread' : 'threads'}`;
  const facts: NamedFact[] = [
    ['Software', values(({ tool }) => tool)],
    ['LibTorch', values(({ torch }) => torch)],
    ['Node', values(({ node }) => node)],
    ['System', values(({ platform }) => platform)],
    ['Hardware', values(hardware)],
    ['Precision', values(({ precision }) => precision)],
    ['Seeds', values(({ seed }) => (seed === undefined ? undefined : String(seed)))],
    ['Data', values(({ data }) => data)],
    ['Data hash', values(({ dataHash }) => dataHash)],
  ];
  return facts.filter(([, value]) => value !== '');
}
