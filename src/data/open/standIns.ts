import { isStandIn } from '../../text/standIn.js';
import type { Sample } from '../sample.js';

/** From so many files on, and so many times as many as any other has, a subject is unlikely to be one patient. */
const MANY = 5;

/**
 * Warns of subjects that look like many patients under one name: by what anonymisers write, or by having far more
 * files than any other. Slices and frames of one file count once.
 */
export function standInWarnings(name: string, samples: readonly Sample[]): string[] {
  const files = new Map<string, Set<string>>();
  for (const sample of samples) {
    const own = files.get(sample.subject) ?? new Set();
    files.set(sample.subject, own.add(fileOf(sample)));
  }
  const all = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  const sizes = [...files.values()].map(({ size }) => size).sort((a, b) => b - a);
  const advice =
    'They count as one patient and stay in one fold. If they are several, name them: a manifest with a column "subject".';
  return [...files].flatMap(([subject, { size }]) => {
    if (size > 1 && isStandIn(subject)) {
      return `${name}: ${size} of ${all} images or volumes are of the subject "${subject}", which is what programs write for any patient. ${advice}`;
    }
    const next = size === sizes[0] ? (sizes[1] ?? 0) : sizes[0]!;
    if (size < MANY || size < MANY * next) return [];
    return `${name}: ${size} of ${all} images or volumes are of one subject, "${subject}", which is many for one patient. ${advice}`;
  });
}

/** Names the file that a sample is of. */
function fileOf({ id, images }: Sample): string {
  const [first] = Object.values(images);
  return first?.kind === 'file' ? first.path : id.replace(/\/([xyz]|frame)=\d+$/, '');
}
