import { DataError } from '../errors.js';
import { fileKind } from './fileKind.js';
import { readDicomHeader } from './formats/index.js';
import { mapOrdered } from './mapOrdered.js';
import { type FaultOptions, type FaultySample, problemsError, tellFaults } from './problems.js';
import type { Sample } from './sample.js';

export interface DicomSubjectOptions extends FaultOptions {
  /** Told how many files name nobody. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Samples of DICOM files with the patient of their headers as subject, else the study; others as they are.
 *
 * @throws DataError listing headers that cannot be read and samples whose images are of different patients
 */
export async function withDicomSubjects(
  samples: readonly Sample[],
  options: DicomSubjectOptions = {},
): Promise<readonly Sample[]> {
  const faulty: FaultySample[] = [];
  const named: Sample[] = [];
  let nobody = 0;
  const all = mapOrdered(samples, 16, async (sample) => ({ sample, ...(await subjectsOf(sample)) }));
  for await (const { sample, isDicom, subjects, problem } of all) {
    if (problem !== undefined) faulty.push({ kind: 'bad-row', id: sample.id, problems: [problem] });
    else named.push({ ...sample, subject: subjects[0] ?? sample.subject });
    if (isDicom && subjects.length === 0 && problem === undefined) nobody += 1;
  }
  tellFaults(faulty, options, (problems) =>
    problemsError(
      `${problems.length} DICOM ${problems.length === 1 ? 'sample' : 'samples'} without a clear patient`,
      problems,
      'Correct or remove these files, or write a manifest with a subject column.',
    ),
  );
  if (nobody > 0) {
    options.onWarning?.(
      `${nobody} of ${samples.length} samples: the DICOM headers name neither patient nor study, so each counts as a patient ` +
        'of its own. If patients have several samples, write a manifest with a subject column.',
    );
  }
  return named;
}

/** Each patient, or study, that the headers of a sample name; `problem`: why they do not tell whose it is. */
async function subjectsOf({
  id,
  images,
}: Sample): Promise<{ isDicom: boolean; subjects: readonly string[]; problem?: string }> {
  const files: string[] = [];
  const subjects = new Set<string>();
  try {
    for (const image of Object.values(images)) {
      if (image.kind !== 'file' || (await fileKind(image.path)) !== 'dicom') continue;
      files.push(image.path);
      const { patientId, studyId } = await readDicomHeader(image.path);
      const subject = patientId || studyId;
      if (subject) subjects.add(subject);
    }
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { isDicom: true, subjects: [], problem: error.message };
  }
  // Patients are not named: messages end up in logs.
  const problem = `"${id}": ${files.join(' and ')} are of different patients`;
  return { isDicom: files.length > 0, subjects: [...subjects], ...(subjects.size > 1 ? { problem } : {}) };
}
