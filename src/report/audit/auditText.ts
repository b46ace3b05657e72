/** The output of `anatomy data check` on the terminal. The page of an audit has the same facts and names. */
import type { AlignmentSummary, AuditReport, ModalitySummary } from '../../data/audit/audit.js';
import type { Finding, FindingItem, Severity } from '../../data/audit/finding.js';
import { intervalName, tooFew } from '../../evaluation/results/fewSubjects.js';
import { counted, fixed, numbered } from '../../text/numbers.js';

/** The number of places that a finding shows on the terminal. */
const SHOWN = 3;
/** The largest number of ids that are named for one place. */
export const NAMED = 4;

const SEVERITY_NAMES: Readonly<Record<Severity, readonly [one: string, many: string]>> = {
  error: ['error', 'errors'],
  warning: ['warning', 'warnings'],
  info: ['note', 'notes'],
};

export function severityName(severity: Severity): string {
  return SEVERITY_NAMES[severity][0];
}

/** Counts the findings, as in `2 errors, 1 warning, 3 notes`. */
export function verdict({ counts }: Pick<AuditReport, 'counts'>): string {
  const parts = (['error', 'warning', 'info'] as const).flatMap((severity) => {
    const [one, many] = SEVERITY_NAMES[severity];
    const count = counts[severity];
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  });
  return parts.length === 0 ? 'nothing found' : parts.join(', ');
}

/** Writes the report for the owner's terminal. It names the places of files, which the page never does. */
export function auditText(report: AuditReport): string {
  const facts = [...factsOf(report), ...presenceFacts(report)];
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = [
    ...facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    '',
    ...report.findings.flatMap((one) => [...findingLines(one), '']),
    verdict(report),
  ];
  return `${lines.join('\n')}\n`;
}

function findingLines({ severity, title, explanation, fix, items, count }: Finding): string[] {
  const shown = items
    .slice(0, SHOWN)
    .map((item) => `  ${[placeOf(item), item.place ?? item.detail].filter(Boolean).join(': ')}`);
  const more = count > SHOWN ? [`  … and ${counted(count - SHOWN)} more`] : [];
  const number = items.some(({ ids }) => ids.length > 0) ? ` (${counted(count)})` : '';
  const advice = severity === 'info' ? [] : [`  ${explanation}`, `  → ${fix}`];
  return [`${severityName(severity)}: ${title}${number}`, ...shown, ...more, ...advice];
}

function placeOf({ ids, modality }: FindingItem): string {
  const named = ids.slice(0, NAMED).join(' = ');
  const rest = ids.length > NAMED ? ` = … ${ids.length - NAMED} more` : '';
  return ids.length === 0 ? '' : `${named}${rest}${modality === undefined ? '' : ` (${modality})`}`;
}

/** The facts about the data, each as a name and a value. */
export function factsOf(report: AuditReport): [string, string][] {
  const { modalities, samples, subjects, alignment, suitability, quick } = report;
  const complete = modalities.every(({ missing }) => missing === 0);
  const name = modalities.length === 1 ? 'image' : modalities.length === 2 && complete ? 'pair' : 'sample';
  const unit = `${name}${samples === 1 ? '' : 's'}`;
  return [
    [
      'data',
      `${report.data}: ${counted(samples)} ${unit} of ${counted(subjects)} ${subjects === 1 ? 'subject' : 'subjects'}${publishedSamples(report)}`,
    ],
    ...classFacts(report),
    ...modalities.map((one): [string, string] => [`images ${one.name}`, modalityFact(one)]),
    ...alignment.map((one): [string, string] => ['alignment', alignmentFact(one)]),
    ...suitability.map((one): [string, string] => ['premise', suitabilityFact(one)]),
    ...(quick
      ? [
          ['left out', 'near-duplicates, alignment and the premise of the method (--quick)'] as [
            string,
            string,
          ],
        ]
      : []),
  ];
}

function publishedSamples({ published }: AuditReport): string {
  if (published === undefined) return '';
  const total = published.samples ?? Object.values(published.counts).reduce((sum, count) => sum + count, 0);
  const of = published.subjects === undefined ? '' : ` of ${counted(published.subjects)} subjects`;
  return ` (${published.name} as published: ${counted(total)}${of})`;
}

function classFacts({ classes, published }: AuditReport): [string, string][] {
  const names = Object.entries(classes).map(([label, count]) => {
    const said = published?.counts[label];
    return `${label} ${counted(count)}${said === undefined ? '' : ` (published ${counted(said)})`}`;
  });
  return names.length === 0 ? [] : [['classes', names.join(', ')]];
}

/** Which images are missing, and which the samples have; nothing where all have all. */
function presenceFacts({ modalities, combinations, samples }: AuditReport): [string, string][] {
  const gaps = modalities.filter(({ missing }) => missing > 0);
  if (gaps.length === 0) return [];
  const missing = gaps.map(
    ({ name, missing, missingSubjects }) =>
      `${name} in ${counted(missing)} of ${counted(samples)} samples (${numbered(missingSubjects, 'subject')})`,
  );
  return [
    ['missing', missing.join(', ')],
    ...combinations.map((one): [string, string] => [
      'samples with',
      `${combinationName(one, modalities)}: ${counted(one.samples)} of ${numbered(one.subjects, 'subject')}`,
    ]),
  ];
}

/** Names a combination of modalities, as in `all of a, b, c`, `a and b` or `a only`. */
export function combinationName(
  { modalities: has }: AuditReport['combinations'][number],
  all: AuditReport['modalities'],
): string {
  if (has.length === all.length) return `all of ${has.join(', ')}`;
  return has.length === 1 ? `${has[0]} only` : has.join(' and ');
}

function modalityFact({ sizes, simulated, brightness, readable }: ModalitySummary): string {
  if (readable === 0) return 'no image can be read';
  const [first, ...others] = Object.entries(sizes);
  const size =
    others.length === 0
      ? first![0]
      : `${Object.keys(sizes).length}${others.length >= 19 ? ' or more' : ''} sizes, most often ${first![0]} (${counted(first![1])})`;
  const [low, middle, high] = brightness.map((level) => fixed(level, 0));
  return `${simulated ? 'simulated, ' : ''}${size}; mean gray ${middle} (${low} to ${high} in 90 % of images)`;
}

function alignmentFact({
  modality,
  against,
  medianX,
  medianY,
  distance,
  turn,
  scale,
  uncertainty,
  turned,
  measured,
}: AlignmentSummary): string {
  const [middle, most, nearlyAll] = distance.map((pixels) => fixed(pixels, 1));
  const parts = [
    `${modality} against ${against}: median shift (${fixed(medianX, 1)}, ${fixed(medianY, 1)}) px by mutual information`,
    `at most ${middle} px in 50 %, ${most} px in 95 % and ${nearlyAll} px in 99 % of ${numbered(measured, 'pair')}`,
    ...(turn.length === 0
      ? []
      : [`turned by at most ${fixed(turn[1]!, 1)}° and scaled by at most ${fixed(scale[1]!, 2)} in 95 %`]),
    `uncertainty ${fixed(uncertainty[0]!, 1)} px in the median and ${fixed(uncertainty[1]!, 1)} px in 95 %`,
    ...(turned === 0 ? [] : [`${numbered(turned, 'pair')} mirrored or turned`]),
  ];
  return parts.join('; ');
}

const PREMISE = {
  holds: 'the premise of the method holds here',
  weak: 'the premise of the method is weak here',
  absent: 'the premise of the method does not hold here',
} as const;

export function suitabilityFact({
  nearer,
  low,
  high,
  pairs,
  subjects,
  premise,
  modalities: [a, b],
}: AuditReport['suitability'][number]): string {
  const percent = (share: number) => fixed(100 * share, 1);
  return `${PREMISE[premise]} (${a} and ${b}): patch relations of the own mate are nearer than a stranger’s in ${percent(nearer)} % of comparisons (${intervalName(tooFew({ subjects }))} ${percent(low)} to ${percent(high)}; chance 50; ${counted(pairs)} pairs)`;
}
