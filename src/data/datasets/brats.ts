import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import type { FaultGroup, FaultySample } from '../faults.js';
import type { FileSource, Sample } from '../sample.js';
import type { Folder } from './folderTree.js';
import type { KnownDataset } from './known.js';

/** The names of files until 2021, `SUBJECT_t1ce.nii.gz`, and since 2023, `SUBJECT-t1c.nii.gz`. */
const NAME = /^(?:(.+)_(flair|t1|t1ce|t1c|t2|seg)|(.+)-(t2f|t1n|t1c|t2w|seg))\.nii(?:\.gz)?$/i;
const VOLUME = /\.nii(\.gz)?$/i;

/** The modality of each ending; a segmentation has none. */
const MODALITIES: Readonly<Record<string, string>> = {
  ...{ flair: 'flair', t1: 't1', t1ce: 't1ce', t1c: 't1c', t2: 't2' },
  ...{ t2f: 'flair', t1n: 't1', t2w: 't2' },
};
const ORDER = ['flair', 't1', 't1ce', 't1c', 't2'];

/** The folders of the two grades, which the challenges until 2020 told apart. */
const GRADES = ['HGG', 'LGG'];

/** The patient of a subject's name, where the name also tells the time of the scan: `BraTS-GLI-00005-000`, `Brats18_CBICA_AAB_1`. */
const TIMED = [/^(BraTS-[A-Z]+-\d+)-\d{3}$/i, /^(Brats1[789]_.+)_\d+$/i];

/**
 * Reads brain tumours as the BraTS challenges publish them: a folder a subject, or all files in one, with a NIfTI volume
 * for each modality and a segmentation, which is never read. A subject may lack modalities.
 */
export const brats: KnownDataset = {
  name: 'BraTS',

  recognise: (folder) => isLaidOut(folder) || gradesOf(folder).some(isLaidOut),

  async open(folder) {
    const grades = gradesOf(folder).filter(isLaidOut);
    const parts =
      grades.length === 0
        ? [{ place: folder.path, label: undefined }]
        : grades.map(({ path: place, name }) => ({ place, label: name.toUpperCase() }));
    const files = (
      await Promise.all(
        parts.map(async ({ place, label }) => (await volumesBelow(place)).map((file) => ({ file, label }))),
      )
    ).flat();
    const found = new Map<string, { label?: string; images: Map<string, string> }>();
    const others: string[] = [];
    const twice: FaultySample[] = [];
    for (const { file, label } of files) {
      const { subject, ending } = partsOf(file) ?? {};
      if (subject === undefined || ending === undefined) {
        others.push(file);
        continue;
      }
      const own = found.get(subject) ?? { label, images: new Map<string, string>() };
      found.set(subject, own);
      const modality = MODALITIES[ending];
      if (modality === undefined) continue;
      const other = own.images.get(modality);
      if (other === undefined) own.images.set(modality, file);
      else
        twice.push({
          kind: 'bad-row',
          id: subject,
          problems: [`"${subject}": ${other} and ${file} are both ${modality}`],
        });
    }
    const bad = new Set(twice.map(({ id }) => id));
    const samples: Sample[] = [];
    const bare: FaultySample[] = [];
    for (const [id, { label, images }] of found) {
      if (bad.has(id)) continue;
      if (images.size === 0) {
        bare.push({ kind: 'missing-file', id, problems: [`"${id}": has no image, only a segmentation`] });
        continue;
      }
      samples.push({
        id,
        subject: patientOf(id),
        images: Object.fromEntries(
          ORDER.flatMap((one) => {
            const file = images.get(one);
            return file === undefined
              ? []
              : [[one, { kind: 'file', path: file } satisfies FileSource] as const];
          }),
        ),
        ...(label === undefined ? {} : { label }),
      });
    }
    const group = (headline: string, faulty: FaultySample[]): FaultGroup => ({
      headline: (problems) => `${problems} ${problems === 1 ? 'subject' : 'subjects'} ${headline}`,
      fix: 'Copy these folders again, or leave them out.',
      faulty,
    });
    const modalities = ORDER.filter((one) => samples.some(({ images }) => Object.hasOwn(images, one)));
    if (samples.length === 0 && bare.length + twice.length === 0) {
      throw new DataError(
        `${folder.path}: looks like BraTS, but holds no volume of a modality. Unpack it again.`,
      );
    }
    const passedOver =
      `${folder.path}: ${others.length} of ${files.length} volumes ${others.length === 1 ? 'is' : 'are'} passed over, as ` +
      `their names end in no modality, such as ${path.basename(others[0] ?? '')}.`;
    return {
      name: 'BraTS',
      modalities,
      samples,
      ...(samples.some(({ label }) => label === 'HGG') ? { positive: 'HGG' } : {}),
      faults: [group('with two images of a modality', twice), group('without an image', bare)],
      warnings: others.length > 0 ? [passedOver] : [],
      namesSubjects: true,
    };
  },
};

function gradesOf({ folders }: Folder): Folder[] {
  return folders.filter(({ name }) => GRADES.includes(name.toUpperCase()));
}

/** Whether volumes of two modalities of one subject lie in the folder, or in one directly below it. */
function isLaidOut(folder: Folder): boolean {
  return [folder, ...folder.folders].some(({ files }) => {
    const modalities = new Map<string, Set<string>>();
    for (const file of files) {
      const { subject, ending = '' } = partsOf(file) ?? {};
      const modality = MODALITIES[ending];
      if (subject === undefined || modality === undefined) continue;
      modalities.set(subject, (modalities.get(subject) ?? new Set()).add(modality));
    }
    return [...modalities.values()].some(({ size }) => size > 1);
  });
}

function partsOf(file: string): { subject: string; ending: string } | undefined {
  const [, before, ending, since, newer] = NAME.exec(path.basename(file)) ?? [];
  const subject = before ?? since;
  return subject === undefined ? undefined : { subject, ending: (ending ?? newer)!.toLowerCase() };
}

function patientOf(subject: string): string {
  for (const form of TIMED) {
    const patient = form.exec(subject)?.[1];
    if (patient !== undefined) return patient;
  }
  return subject;
}

/** Lists the volumes in a folder and in those directly below it, in the order of their names. */
async function volumesBelow(folder: string): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(
    ({ name }) => !name.startsWith('.'),
  );
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: string[] = [];
  for (const { name } of entries) {
    const place = path.join(folder, name);
    // A volume's folder may be a link, and some programs make a folder of a volume's name around it.
    const inside = await readdir(place).catch(() => undefined);
    if (inside === undefined) {
      if (VOLUME.test(name)) files.push(place);
    } else {
      const volumes = inside.filter((one) => VOLUME.test(one) && !one.startsWith('.')).sort();
      files.push(...volumes.map((one) => path.join(place, one)));
    }
  }
  return files;
}
