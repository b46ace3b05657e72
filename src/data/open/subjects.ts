/** Names the patients of samples whose data names none: by a pattern of the user's, or each sample by itself. */
import { UsageError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import { shellWords } from '../../text/shell.js';
import type { FaultySample, Reading } from '../faults.js';
import type { Sample } from '../sample.js';

/** The part of an id that is the file's name: class folders stand before it. */
const fileName = (id: string) => id.slice(id.lastIndexOf('/') + 1);

/**
 * Gives each sample the subject that the pattern finds in its file's name or id: the group called `subject`, else the
 * first group, else all that is matched. The pattern is the user's own, so it may take as long as it takes. Faults are
 * the samples in which it finds nothing.
 *
 * @throws UsageError if the pattern is no regular expression
 */
export function namedSubjects(samples: readonly Sample[], pattern: string): Reading {
  const regex = compile(pattern);
  const faulty: FaultySample[] = [];
  const found: Sample[] = [];
  const unmatched: Sample[] = [];
  for (const sample of samples) {
    const match = regex.exec(fileName(sample.id));
    const subject = match?.groups?.subject ?? match?.[1] ?? match?.[0];
    if (subject) found.push({ ...sample, subject });
    else unmatched.push(sample);
  }
  for (const [i, { id, origin }] of unmatched.entries()) {
    // Looking for a name takes time, and further samples are only counted in messages.
    const near =
      i < 10
        ? nearest(
            id,
            found.slice(0, 1000).map((sample) => sample.id),
          )
        : undefined;
    const hint = near === undefined ? '' : `; the nearest in which it does is "${near}"`;
    faulty.push({
      kind: 'bad-row',
      id,
      problems: [
        `${origin === undefined ? '' : `${origin}: `}"${id}": --subject '${pattern}' finds no patient in it${hint}`,
      ],
    });
  }
  return {
    samples: found,
    faults: [
      {
        headline: (problems) => `${problems} ${problems === 1 ? 'name tells' : 'names tell'} no patient`,
        fix: 'Write the pattern so that it finds the patient in all names, rename these files, or leave them out.',
        faulty,
      },
    ],
  };
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    const python = pattern.includes('(?P<') ? ' Named groups are written (?<subject>…) here, without P.' : '';
    throw new UsageError(
      `--subject '${pattern}': is no regular expression (${(error as Error).message.replace(/^Invalid regular expression: /, '')}), ` +
        `expected one such as '^(P\\d+)'.${python}`,
    );
  }
}

/**
 * Says that every sample counts as a patient of its own; where names look like several of one, with the flag to type.
 *
 * @param what the reason, as the beginning of the sentence
 */
export function ownSubjectsWarning(what: string, samples: readonly Pick<Sample, 'id'>[]): string {
  const own = `${what}, so every sample counts as a patient of its own unless it is a DICOM file that names one.`;
  const found = runningNumbers(samples.map(({ id }) => fileName(id)));
  if (found === undefined) {
    return `${own} If patients have several, say what names them: --subject '^(P\\d+)' for P01_1 and P01_2.`;
  }
  const { examples, pattern } = found;
  return (
    `${own} But ${examples[0]} and ${examples[1]} look like two of one patient, who may then stand on both sides of a ` +
    `split. Say --subject ${shellWords([pattern])}, or another pattern that finds the patient.`
  );
}

/** A running number, or a side, at the end of a name. What stands before it must hold a digit to be a patient. */
const RUNNING = /^(.*\d.*?)[ _.-]+\(?(?:\d+|l|r|left|right|od|os)\)?$/i;

/** Patterns that take such an end off, where every name has one. */
const PLAIN = ['_', '-', '[ _.-]+'].map((part) => String.raw`^(.+)${part}\d+$`);
/** The pattern that takes it off where it is there. */
const LOOSE = String.raw`^(.*\d.*?)(?=[ _.-]+\(?(?:\d+|[LRlr]|left|right|O[DS])\)?$)|^.*`;

/** Finds out whether names look like several images of some patients. */
function runningNumbers(
  names: readonly string[],
): { examples: [string, string]; pattern: string } | undefined {
  const patients = new Map<string, string[]>();
  for (const name of new Set(names)) {
    const patient = RUNNING.exec(name)?.[1] ?? name;
    const own = patients.get(patient);
    if (own === undefined) patients.set(patient, [name]);
    else own.push(name);
  }
  const several = [...patients.values()].find(({ length }) => length > 1);
  if (several === undefined || patients.size < 2) return undefined;
  const tight = skeletonOf([...patients.keys()]);
  const finds = (pattern: string) =>
    [...patients].every(([patient, own]) =>
      own.every((name) => new RegExp(pattern).exec(name)?.[1] === patient),
    );
  const forms = [...(tight === undefined ? [] : [`^(${tight})`]), ...PLAIN];
  const pattern = forms.find(finds) ?? LOOSE;
  return { examples: [several[0]!, several[1]!], pattern };
}

/** Writes names of one form, such as `P01` and `P12`, as one pattern; undefined where they have several forms. */
function skeletonOf(names: readonly string[]): string | undefined {
  const parts = names.map((name) => name.match(/\d+|[a-z]+|[^a-z\d]+/gi) ?? []);
  const [first] = parts;
  const kind = (part: string) => (/\d/.test(part) ? 'digits' : /[a-z]/i.test(part) ? 'letters' : part);
  const alike = parts.every(
    (own) => own.length === first!.length && own.every((part, i) => kind(part) === kind(first![i]!)),
  );
  if (!alike) return undefined;
  return first!
    .map((part, i) => {
      if (kind(part) === 'digits') return '\\d+';
      if (parts.every((own) => own[i] === part)) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      return '[A-Za-z]+';
    })
    .join('');
}
