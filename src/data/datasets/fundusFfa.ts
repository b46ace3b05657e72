import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import type { FaultGroup, FaultySample } from '../faults.js';
import { stemOf } from '../formats/fileKind.js';
import { imagesByStem, matchStems } from '../open/folders.js';
import type { Sample } from '../sample.js';
import { type Folder, inside } from './folderTree.js';
import { PM_CLASSES } from './ichallengePm.js';
import type { KnownDataset } from './known.js';

const FUNDUS = 'resized_image_320';
const FFA = 'resized_image_syn';
const ORDER = 'random_list.txt';
const FOLDS = 5;

/** The two tasks. The first letters of the file names tell which of them a folder holds. */
const TASKS = [
  { positive: 'AMD', own: /^A/i, classes: { A: 'AMD', N: 'non-AMD' }, counts: { AMD: 89, 'non-AMD': 311 } },
  { positive: 'PM', own: /^[PH]/i, classes: PM_CLASSES, counts: { PM: 213, 'non-PM': 187 } },
] as const;

/**
 * Reads fundus photographs with angiographies (FFA) that a CycleGAN made of them, as Li et al. (TMI 2020) published
 * them for AMD (`Training400`) and PM (`PAML`): `resized_image_320/A0001.jpg` and `resized_image_syn/A0001.png`.
 */
export const fundusFfa: KnownDataset = {
  name: 'Fundus-FFA',

  recognise: (folder) => [FUNDUS, FFA].some((name) => inside(folder, name) !== undefined),

  async open(folder) {
    const [fundus, ffa] = [FUNDUS, FFA].map((name) => {
      const part = inside(folder, name);
      if (part !== undefined) return [part.path, imagesByStem(part.path, part.images)] as const;
      throw new DataError(
        `${folder.path}: looks like Fundus-FFA, but has no folder "${name}", expected ${FUNDUS} and ${FFA}. ` +
          'Copy it again, or name two folders (--data A --data-b B).',
      );
    });
    const { pairs, alone } = matchStems(fundus!, ffa!);
    const task = taskOf(
      pairs.map(({ stem }) => stem),
      folder,
    );
    if (task instanceof DataError) {
      return { name: 'Fundus-FFA', modalities: ['a', 'b'], samples: [], faults: [alone], refusal: task };
    }
    const faulty: FaultySample[] = [];
    const samples = pairs.flatMap(({ stem, images }): Sample[] => {
      const letter = stem[0]!.toUpperCase();
      const label = (task.classes as Readonly<Record<string, string>>)[letter];
      if (label !== undefined) return [{ id: stem, subject: stem, images, label, extra: { letter } }];
      const problem = `${images.a.path}: begins with neither ${Object.keys(task.classes).join(' nor ')}`;
      faulty.push({ kind: 'bad-row', id: stem, problems: [problem] });
      return [];
    });
    const classless: FaultGroup = {
      headline: (problems) => `${problems} names tell no class`,
      fix: 'Rename these files, or write a manifest.',
      faulty,
    };
    const order = folder.files.includes(ORDER)
      ? await readOrder(path.join(folder.path, ORDER), samples)
      : undefined;
    return {
      name: `Fundus-FFA-${task.positive}`,
      modalities: ['a', 'b'],
      samples:
        order === undefined ? samples : samples.map((sample) => ({ ...sample, fold: order.foldOf(sample) })),
      positive: task.positive,
      simulated: ['b'],
      published: {
        name: `Fundus-FFA, ${task.positive} (Li et al. 2020)`,
        counts: task.counts,
        notes: [
          'The angiographies (b) were computed from the photographs (a) by a CycleGAN; no camera took them.',
          'The CycleGAN may have been fitted to photographs of the test folds.',
          `Folds are published as the order in ${ORDER}: its fifths of ⌊n/5⌋ images, what is left over in the last one ` +
            '(the authors train on it in every round and never test it).',
          ...(task.positive === 'AMD' ? ['The authors leave A0012 out; it is kept, in the last fold.'] : []),
        ],
      },
      faults: [alone, classless, ...(order === undefined ? [] : [order.imageless])],
      warnings: order?.warnings,
    };
  },
};

/** Tells the task by the names of the pairs, or says why it cannot be told. */
function taskOf(stems: readonly string[], folder: Folder): (typeof TASKS)[number] | DataError {
  const present = TASKS.filter(({ own }) => stems.some((stem) => own.test(stem)));
  if (present.length === 1) return present[0]!;
  return new DataError(
    `${folder.path}: looks like Fundus-FFA, but holds images of ${present.length === 0 ? 'no task' : 'both tasks'}, ` +
      'expected either A….jpg beside N….jpg (AMD) or P….jpg beside H….jpg and N….jpg (PM). Copy it again, or write a manifest.',
  );
}

/** The published folds, which the file with the order of the images gives. */
interface PublishedOrder {
  readonly foldOf: (sample: Sample) => number;
  /** Names in the file that no sample has. */
  readonly imageless: FaultGroup;
  readonly warnings: readonly string[];
}

async function readOrder(file: string, samples: readonly Sample[]): Promise<PublishedOrder> {
  const listed = (await readFile(file, 'utf8')).split(/\s+/).filter(Boolean).map(stemOf);
  const known = new Set(samples.map(({ id }) => id));
  const faulty = listed
    .filter((id) => !known.has(id))
    .map((id) => ({
      kind: 'missing-file' as const,
      id,
      problems: [`${file}: "${id}": no pair of this name`],
    }));
  // The authors leave A0012 out before they count the fifths.
  const order = listed.filter((id) => id !== 'A0012');
  const size = Math.max(1, Math.floor(order.length / FOLDS));
  const positions = new Map(order.map((id, i) => [id, i]));
  const left = samples.filter(({ id }) => !positions.has(id) && id !== 'A0012').length;
  const unnamed = `${file}: does not name ${left} of the ${samples.length} pairs; they go into the last fold.`;
  return {
    foldOf: ({ id }) => Math.min(FOLDS - 1, Math.floor((positions.get(id) ?? order.length) / size)),
    imageless: {
      headline: (problems) => `${problems} of the names in ${file} have no images`,
      fix: 'Add the files, or remove the names.',
      faulty,
    },
    warnings: left > 0 ? [unnamed] : [],
  };
}
