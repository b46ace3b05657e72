import { DataError } from '../../errors.js';
import { isMissing } from '../../text/missing.js';
import { normalForm } from '../../text/normalForm.js';
import { isStandIn } from '../../text/standIn.js';
import type { FaultySample, Reading } from '../faults.js';
import { fileKind } from '../formats/fileKind.js';
import { readDicomHeader } from '../formats/index.js';
import { mapOrdered } from '../mapOrdered.js';
import type { Sample } from '../sample.js';

/**
 * Gives samples of DICOM files the patient that their headers name as subject, else the study; other samples stay as
 * they are. A file that names only its study is of the patient that another file of this study names. A sample is
 * faulty if its header cannot be read, or if its images are of different patients; with the spellings joined, names of
 * one normal form are one patient. Warnings tell of samples without any name, and of images of several studies whose
 * patient's name stands for anybody.
 */
export async function withDicomSubjects(
  samples: readonly Sample[],
  spellings: 'join' | 'keep' = 'join',
): Promise<Reading> {
  const faulty: FaultySample[] = [];
  const read: { sample: Sample; headers: readonly Header[] }[] = [];
  const patientOf = new Map<string, string>();
  const all = mapOrdered(samples, 16, async (sample) => ({ sample, ...(await headersOf(sample)) }));
  for await (const { sample, headers, problem } of all) {
    if (problem !== undefined) faulty.push({ kind: 'bad-row', id: sample.id, problems: [problem] });
    else read.push({ sample, headers });
    for (const { patient, study } of headers) if (patient && study) patientOf.set(study, patient);
  }
  const named: Sample[] = [];
  let nobody = 0;
  let anybody = 0;
  for (const { sample, headers } of read) {
    const patients = distinct(
      headers.map(({ patient, study }) => patient || patientOf.get(study ?? '')),
      spellings === 'join' ? normalForm : undefined,
    );
    const studies = distinct(headers.map(({ study }) => study));
    const subjects = patients.length > 0 ? patients : studies;
    if (subjects.length > 1) {
      // The message does not name the patients, as messages end up in logs.
      const files = headers.map(({ path }) => path).join(' and ');
      const what = patients.length > 1 ? 'patients' : 'studies, and name no patient';
      faulty.push({
        kind: 'bad-row',
        id: sample.id,
        problems: [`"${sample.id}": ${files} are of different ${what}`],
      });
      continue;
    }
    if (headers.length > 0 && subjects.length === 0) nobody += 1;
    if (studies.length > 1 && patients.some(isStandIn)) anybody += 1;
    named.push({ ...sample, subject: subjects[0] ?? sample.subject });
  }
  const namesNobody =
    `${nobody} of ${samples.length} samples: the DICOM headers name neither patient nor study, so each counts as a patient ` +
    'of its own. If patients have several samples, write a manifest with a subject column.';
  const namesAnybody =
    `${anybody} of ${samples.length} samples: the DICOM headers of their images name different studies and one patient, whose ` +
    'name is what programs write for any. Check that the images are of one patient, or name the pairs and their subjects ' +
    'in a manifest.';
  return {
    samples: named,
    faults: [
      {
        headline: (problems) =>
          `${problems} DICOM ${problems === 1 ? 'sample' : 'samples'} without a clear patient`,
        fix: 'Correct or remove these files, or write a manifest with a subject column.',
        faulty,
      },
    ],
    warnings: [...(nobody > 0 ? [namesNobody] : []), ...(anybody > 0 ? [namesAnybody] : [])],
  };
}

/** The patient and study of a DICOM file, as far as it names them. */
interface Header {
  readonly path: string;
  readonly patient?: string;
  readonly study?: string;
}

/** Reads the headers of a sample's DICOM files. `problem` says why one of them cannot be read. */
async function headersOf({ images }: Sample): Promise<{ headers: readonly Header[]; problem?: string }> {
  const headers: Header[] = [];
  try {
    const paths = Object.values(images).flatMap((image) => (image.kind === 'file' ? [image.path] : []));
    // Both halves of a composite are in one file.
    for (const path of new Set(paths)) {
      if ((await fileKind(path)) !== 'dicom') continue;
      const { patientId = '', studyId: study } = await readDicomHeader(path);
      headers.push({ path, patient: isMissing(patientId) ? undefined : patientId, study });
    }
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { headers: [], problem: error.message };
  }
  return { headers };
}

/** Lists the names, the first of each form. */
function distinct(names: readonly (string | undefined)[], formOf = (name: string) => name): string[] {
  const found = new Map<string, string>();
  for (const name of names) {
    if (name === undefined || name === '') continue;
    const form = formOf(name);
    if (!found.has(form)) found.set(form, name);
  }
  return [...found.values()];
}
