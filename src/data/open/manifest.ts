/**
 * The room `data/open` holds what opening a data set takes beside the formats of images: manifests, folders, labels,
 * drop lists. This file reads manifests.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import { isMissing } from '../../text/missing.js';
import { type CsvRow, readCsv } from '../../text/readCsv.js';
import { shellWords } from '../../text/shell.js';
import type { FaultGroup, FaultySample, Reading } from '../faults.js';
import { mapOrdered } from '../mapOrdered.js';
import type { Sample } from '../sample.js';
import { ImagePaths } from './imagePaths.js';
import { holdsImage, layOut, type ManifestColumns, type Table } from './manifestColumns.js';

export interface Manifest extends Reading {
  readonly modalities: readonly string[];
  /** Whether a column names the subjects; if not, each sample is a subject of its own. */
  readonly namesSubjects: boolean;
}

export interface ManifestOptions {
  readonly columns?: ManifestColumns;
  /** The modalities by name, in their order; absent: `a`, `b` and those that `columns` names. */
  readonly modalities?: readonly string[];
  /** The folder that image paths are relative to; absent: the manifest's. */
  readonly imageRoot?: string;
}

/**
 * Reads a CSV manifest with the columns `id,subject,a,b,label[,fold]`. Image paths are relative to the manifest;
 * further columns are kept in `extra`; an empty label leaves a sample unlabelled, and a sample lacks the image of an
 * empty cell. Without a `subject` column every id is its own subject. Faults are rows without any image, without id or
 * subject, with a repeated id or a bad fold, and then rows whose images are not there.
 *
 * @throws DataError naming file and line: absent column, a column that looks like an absent one, ragged or empty file
 */
export async function readManifest(
  file: string,
  { columns = {}, modalities, imageRoot }: ManifestOptions = {},
): Promise<Manifest> {
  const { header, rows: records, warnings } = await readCsv(file, 'the manifest');
  if (header === undefined) {
    throw new DataError(`${file}: is empty, expected a header line such as id,subject,a,b,label.`);
  }
  const cells = records.map((record) => record.cells);
  const table = layOut({ header: header.cells, rows: cells, columns, modalities }, file);
  if (records.length === 0) {
    throw new DataError(`${file}: has a header but no samples. Add one line a sample below it.`);
  }
  const { rows, bad, left } = readRows(records, table, file);
  const images = await findImages(rows, file, imageRoot);
  return {
    modalities: [...table.modalities.keys()],
    samples: images.samples,
    faults: [bad, images.missing],
    warnings: [...warnings, ...left, ...images.warnings],
    namesSubjects: table.roles.subject !== undefined,
  };
}

/** A row that describes a sample, whose images are not looked for yet. */
interface Row {
  readonly sample: Omit<Sample, 'images'>;
  /** The path of each image that the sample has, by modality, as the manifest has it. */
  readonly written: ReadonlyMap<string, string>;
}

/** Reads each row as a sample, or finds what is wrong in it. */
function readRows(
  records: readonly CsvRow[],
  table: Table,
  file: string,
): { rows: readonly Row[]; bad: FaultGroup; left: readonly string[] } {
  const faulty: FaultySample[] = [];
  const lineOf = new Map<string, number>();
  let unasked = 0;
  const cell = (row: CsvRow, index: number | undefined): string | undefined =>
    index === undefined ? undefined : row.cells[index] || undefined;
  const column = (index: number | undefined): string => `"${index === undefined ? '' : table.header[index]}"`;
  const states = (row: CsvRow, index: number | undefined): string => {
    const text = cell(row, index);
    return text === undefined ? 'is empty' : `says "${text}"`;
  };

  const rows = records.flatMap((row): Row[] => {
    const problems: string[] = [];
    const complain = (problem: string) => problems.push(`${file}:${row.line}: ${problem}`);
    const id = cell(row, table.roles.id) ?? '';
    const earlier = lineOf.get(id);
    if (id === '') complain(`the id (column ${column(table.roles.id)}) is empty`);
    else if (earlier !== undefined) complain(`the id "${id}" already stands in line ${earlier}`);
    else lineOf.set(id, row.line);

    const subject = table.roles.subject === undefined ? id : (cell(row, table.roles.subject) ?? '');
    if (table.roles.subject !== undefined && isMissing(subject)) {
      complain(
        `"${id}" has no subject (column ${column(table.roles.subject)} ${states(row, table.roles.subject)})`,
      );
    }

    const written = new Map<string, string>();
    for (const [modality, index] of table.modalities) {
      const place = cell(row, index) ?? '';
      if (!isMissing(place)) written.set(modality, place);
    }
    const others = [...table.extra].filter(([name, index]) => holdsImage(name, row.cells[index] ?? ''));
    if (written.size === 0 && others.length > 0 && problems.length === 0) {
      unasked += 1;
      return [];
    }
    if (written.size === 0) {
      const columns = [...table.modalities.values()].map(
        (index) => `column ${column(index)} ${states(row, index)}`,
      );
      complain(`"${id}" has no image (${columns.join(', ')})`);
    }

    const label = cell(row, table.roles.label);
    const fold = cell(row, table.roles.fold);
    if (table.roles.fold !== undefined && !/^\d{1,6}$/.test(fold ?? '')) {
      complain(`"${id}" has fold "${fold ?? ''}", expected a whole number from 0`);
    }
    if (problems.length > 0) {
      faulty.push({ kind: 'bad-row', id, problems });
      return [];
    }
    const extra = [...table.extra].map(([name, index]) => [name, row.cells[index] ?? '']);
    const sample = {
      id,
      subject,
      ...(label === undefined ? {} : { label }),
      ...(fold === undefined ? {} : { fold: Number(fold) }),
      ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
      origin: `${file}:${row.line}`,
    };
    return [{ sample, written }];
  });
  const bad: FaultGroup = {
    headline: (problems) => `The manifest has ${problems} ${problems === 1 ? 'fault' : 'faults'}`,
    fix: 'Correct these lines, or leave them out.',
    faulty,
  };
  const names = [...table.modalities.keys()].join(', ');
  const told =
    `${file}: ${unasked} of ${records.length} rows ${unasked === 1 ? 'is' : 'are'} left out, as ` +
    `${unasked === 1 ? 'it has' : 'they have'} images in other columns but none of ${names}.`;
  return { rows, bad, left: unasked > 0 ? [told] : [] };
}

/** Finds the images of the rows, and the samples of which one is missing. */
async function findImages(
  rows: readonly Row[],
  file: string,
  imageRoot: string | undefined,
): Promise<{ samples: readonly Sample[]; missing: FaultGroup; warnings: readonly string[] }> {
  const paths = new ImagePaths(file, imageRoot);
  const samples: Sample[] = [];
  const faulty: FaultySample[] = [];
  const all = mapOrdered(rows, 16, async ({ sample, written }) => {
    const found = [...written].map(
      async ([modality, place]) => [modality, place, await paths.find(place)] as const,
    );
    return { sample, found: await Promise.all(found) };
  });
  for await (const { sample, found } of all) {
    const images: Record<string, Sample['images'][string]> = {};
    const problems: string[] = [];
    for (const [modality, place, result] of found) {
      if ('problem' in result) {
        problems.push(`${sample.origin}: "${sample.id}": ${result.problem} (${modality})`);
      } else {
        paths.note(place, result.file);
        images[modality] = { kind: 'file', path: result.file };
      }
    }
    if (problems.length > 0) faulty.push({ kind: 'missing-file', id: sample.id, problems });
    else samples.push({ ...sample, images });
  }
  const base = path.resolve(imageRoot ?? path.dirname(file));
  const elsewhere = samples.length === 0 && rows.length > 0 ? await elsewhereThan(base, rows[0]!) : '';
  const missing: FaultGroup = {
    headline: (problems) =>
      `${problems} of the images named in ${file} ${problems === 1 ? 'is' : 'are'} missing`,
    fix: `Paths are relative to ${base}. ${elsewhere}Correct the paths, add the files or leave the lines out.`,
    faulty,
  };
  // Who goes on in spite of the faults, as a check does, is told too.
  const warnings = elsewhere === '' ? [] : [`No image of ${file} is found from ${base}. ${elsewhere.trim()}`];
  return { samples, missing, warnings: [...paths.warnings(), ...warnings] };
}

/**
 * Says where the images of a row lie if not beside the manifest: in the working folder, in the folder above, or in one
 * of the folders there or here.
 */
async function elsewhereThan(base: string, { written }: Row): Promise<string> {
  const above = path.dirname(base);
  const below = async (folder: string) =>
    (await readdir(folder, { withFileTypes: true }).catch(() => []))
      .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
      .map(({ name }) => path.join(folder, name));
  const folders = [process.cwd(), above, ...(await below(base)), ...(await below(above))];
  const [place] = written.values();
  for (const folder of folders.slice(0, 200)) {
    const found = await stat(path.resolve(folder, place!)).catch(() => undefined);
    if (!found?.isFile()) continue;
    return `They are found from ${folder}: say --image-root ${shellWords([folder])}. `;
  }
  return '';
}
