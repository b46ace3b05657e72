/**
 * The room `data/open` holds what opening a data set takes beside the formats of images: manifests, folders, labels,
 * drop lists. This file reads manifests.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import { isMissing } from '../../text/missing.js';
import { type CsvRow, readCsv } from '../../text/readCsv.js';
import type { FaultGroup, FaultySample, Reading } from '../faults.js';
import { mapOrdered } from '../mapOrdered.js';
import type { Sample } from '../sample.js';
import { ImagePaths } from './imagePaths.js';
import { layOut, type ManifestColumns, type Table } from './manifestColumns.js';

export interface Manifest extends Reading {
  readonly modalities: readonly string[];
  /** Whether a column names the subjects; if not, each sample is a subject of its own. */
  readonly namesSubjects: boolean;
}

/**
 * Reads a CSV manifest with the columns `id,subject,a,b,label[,fold]`. Image paths are relative to the manifest;
 * further columns are kept in `extra`; an empty label leaves a sample unlabelled. Without a `subject` column every id
 * is its own subject. Faults are rows with an empty cell, a repeated id or a bad fold, and then rows whose images are
 * not there.
 *
 * @throws DataError naming file and line: absent column, a column that looks like an absent one, ragged or empty file
 */
export async function readManifest(file: string, columns: ManifestColumns = {}): Promise<Manifest> {
  const { header, rows: records, warnings } = await readCsv(file, 'the manifest');
  if (header === undefined) {
    throw new DataError(`${file}: is empty, expected a header line such as id,subject,a,b,label.`);
  }
  const table = layOut(header.cells, columns, file);
  if (records.length === 0) {
    throw new DataError(`${file}: has a header but no samples. Add one line a sample below it.`);
  }
  const { rows, bad } = readRows(records, table, file);
  const images = await findImages(rows, file);
  return {
    modalities: [...table.modalities.keys()],
    samples: images.samples,
    faults: [bad, images.missing],
    warnings: [...warnings, ...images.warnings],
    namesSubjects: table.roles.subject !== undefined,
  };
}

/** A row that describes a sample, whose images are not looked for yet. */
interface Row {
  readonly sample: Omit<Sample, 'images'>;
  /** The path of each modality's image as the manifest has it. */
  readonly written: ReadonlyMap<string, string>;
}

/** Reads each row as a sample, or finds what is wrong in it. */
function readRows(
  records: readonly CsvRow[],
  table: Table,
  file: string,
): { rows: readonly Row[]; bad: FaultGroup } {
  const faulty: FaultySample[] = [];
  const lineOf = new Map<string, number>();
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
      if (place === '') complain(`"${id}" has no image in column ${column(index)}`);
      else if (isMissing(place))
        complain(`"${id}" has no image (column ${column(index)} ${states(row, index)})`);
      else written.set(modality, place);
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
  return { rows, bad };
}

/** Finds the images of the rows, and the samples of which one is missing. */
async function findImages(
  rows: readonly Row[],
  file: string,
): Promise<{ samples: readonly Sample[]; missing: FaultGroup; warnings: readonly string[] }> {
  const paths = new ImagePaths(file);
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
  const base = path.dirname(path.resolve(file));
  const elsewhere = samples.length === 0 && rows.length > 0 ? await elsewhereThan(base, rows[0]!) : '';
  const missing: FaultGroup = {
    headline: (problems) =>
      `${problems} of the images named in ${file} ${problems === 1 ? 'is' : 'are'} missing`,
    fix: `Paths are relative to ${base}. ${elsewhere}Correct the paths, add the files or leave the lines out.`,
    faulty,
  };
  return { samples, missing, warnings: paths.warnings() };
}

/**
 * Says where the images of a row lie if not beside the manifest: in the working folder, in the folder above, or in one
 * of the folders there or here.
 */
async function elsewhereThan(base: string, { written }: Row): Promise<string> {
  const above = path.dirname(base);
  const below = async (folder: string) =>
    (await readdir(folder, { withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => path.join(folder, name));
  const folders = [process.cwd(), above, ...(await below(base)), ...(await below(above))];
  const [place] = written.values();
  for (const folder of folders.slice(0, 200)) {
    const found = await stat(path.resolve(folder, place!)).catch(() => undefined);
    if (!found?.isFile()) continue;
    return `They are found from ${folder}: put the manifest there, or write "${path.relative(base, folder)}/" before each path. `;
  }
  return '';
}
