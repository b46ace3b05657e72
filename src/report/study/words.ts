/** Sentences on the results of a study, and the facts that it takes to repeat it. */

import { fewWarning, intervalName } from '../../evaluation/results/fewSubjects.js';
import { baselineMeaning, imagesName } from '../../evaluation/results/names.js';
import { testWords, type Verdict } from '../../evaluation/results/verdict.js';
import { fixed, interval, signed } from '../../text/numbers.js';
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
            after: `${best.low === null ? '' : ` (${intervalName(first.few)} ${interval(best.low, best.high)})`}. The highest is not the best where the others cannot be told from it.`,
          },
        ];
  const few = [...new Set([first, ...families].flatMap((one) => one.few ?? []))];
  const warnings = few.map((one) => ({ before: fewWarning(one), strong: '', after: '' }));
  const compared = families.flatMap(({ on, few: tooFew, comparisons }) =>
    comparisons.map((one) =>
      verdict(`${on === undefined ? '' : `${on}: `}${one.name}`, one, { holm: one.holm, few: tooFew }),
    ),
  );
  if (compared.length > 0) return [...warnings, ...highest, ...compared];
  const against = own.flatMap(({ name, against: { untrained } }) => {
    const difference = untrained[widest];
    return difference === undefined
      ? []
      : [
          verdict(`${name} against ${baselineMeaning.untrained}`, difference, {
            holm: difference.holm,
            few: first.few,
          }),
        ];
  });
  return [...warnings, ...highest, ...against.slice(0, TOLD)];
}

interface VerdictOptions {
  /** The p-value after Holm’s correction over the family; undefined for a comparison without a family. */
  readonly holm?: number | null;
  /** What is too few for a test; undefined where there are enough subjects. */
  readonly few?: string;
}

/** Writes the sentence on one comparison. */
function verdict(
  name: string,
  { value, low, high, minimumDetectable }: StudyDifference,
  { holm, few }: VerdictOptions,
): Verdict {
  const found =
    few !== undefined
      ? 'not tested'
      : holm != null && holm >= LEVEL
        ? 'not shown to differ'
        : low !== null && low > 0
          ? 'higher'
          : high !== null && high < 0
            ? 'lower'
            : 'not shown to differ';
  const small =
    minimumDetectable === null
      ? ''
      : `; differences below ${fixed(minimumDetectable)} would mostly be missed`;
  return {
    before: `${name}: `,
    strong: found,
    after: `, difference ${signed(value)} (${testWords({ low, high, holm, few })})${small}.`,
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
