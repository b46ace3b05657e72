/**
 * The room `data/open` holds what opening a data set takes beside the formats of images: manifests, folders, labels,
 * drop lists. This file reads manifests.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError, UsageError } from '../../errors.js';
import { type CsvRow, readCsvRows } from '../../text/csvRows.js';
import { nearest } from '../../text/nearest.js';
import type { FaultGroup, FaultySample, Reading } from '../faults.js';
import { mapOrdered } from '../mapOrdered.js';
import type { FileSource, Sample } from '../sample.js';

/**
 * The column name of each role. Roles are `id`, `subject`, `label`, `fold`; any other key is a modality. The
 * modalities `a` and `b` are always expected; `null` says that the data has no such column.
 */
export type ManifestColumns = Readonly<Record<string, string | null>>;

export interface Manifest extends Reading {
  readonly modalities: readonly string[];
  /** Whether a column names the subjects; if not, each sample is a subject of its own. */
  readonly namesSubjects: boolean;
}

export const ROLES = ['id', 'subject', 'label', 'fold'] as const;
type Role = (typeof ROLES)[number];

/** Names of columns that most likely hold the subject. Overlooking one would leak patients across a split. */
const SUBJECT_LIKE = /^(subject|patient|case)([ _-]?(id|no|nr|number))?$/i;

/**
 * Reads a CSV manifest with the columns `id,subject,a,b,label[,fold]`. Image paths are relative to the manifest;
 * further columns are kept in `extra`; an empty label leaves a sample unlabelled. Without a `subject` column every id
 * is its own subject. Faults are rows with an empty cell, a repeated id or a bad fold, and then rows whose images are
 * not there.
 *
 * @throws DataError naming file and line: absent column, a column that looks like an absent one, ragged or empty file
 */
export async function readManifest(file: string, columns: ManifestColumns = {}): Promise<Manifest> {
  const [header, ...records] = await readCsvRows(file, 'the manifest');
  if (header === undefined) {
    throw new DataError(`${file}: is empty, expected a header line such as id,subject,a,b,label.`);
  }
  const table = layOut(header.cells, columns, file);
  if (records.length === 0) {
    throw new DataError(`${file}: has a header but no samples. Add one line a sample below it.`);
  }
  const rows = readRows(records, table, file);
  const missing = await missingFiles(rows.samples, file);
  const incomplete = new Set(missing.faulty.map(({ id }) => id));
  return {
    modalities: [...table.modalities.keys()],
    samples: rows.samples.filter(({ id }) => !incomplete.has(id)),
    faults: [rows.bad, missing],
    namesSubjects: table.roles.subject !== undefined,
  };
}

interface Table {
  readonly header: readonly string[];
  /** The column index of each role that is present; `id` always is. */
  readonly roles: Readonly<Partial<Record<Role, number>> & { id: number }>;
  readonly modalities: ReadonlyMap<string, number>;
  readonly extra: ReadonlyMap<string, number>;
}

/** Finds out which column plays which role. */
function layOut(header: readonly string[], columns: ManifestColumns, file: string): Table {
  const repeated = header.find((name, i) => header.indexOf(name) !== i);
  if (repeated !== undefined) {
    throw new DataError(`${file}:1: the column "${repeated}" occurs twice. Rename or remove one of them.`);
  }
  const find = (role: string): number => {
    const name = columns[role] ?? role;
    const index = header.indexOf(name);
    if (index >= 0) return index;
    throw absentColumn(role, name, header, file);
  };
  const findOptional = (role: Role): number | undefined => {
    if (columns[role] === null) return undefined;
    if (typeof columns[role] === 'string' || header.includes(role)) return find(role);
    const lookalike = header.find(
      (name) => name.toLowerCase() === role || (role === 'subject' && SUBJECT_LIKE.test(name)),
    );
    if (lookalike === undefined) return undefined;
    throw new DataError(
      `${file}:1: no column "${role}", but "${lookalike}" looks like it. Say --column ${role}=${lookalike}, ` +
        `or --column ${role}=null if it is something else.`,
    );
  };
  if (columns.id === null) {
    throw new UsageError('--column id=null: expected a column name, as every sample needs an id.');
  }
  const roles = {
    id: find('id'),
    subject: findOptional('subject'),
    label: findOptional('label'),
    fold: findOptional('fold'),
  };
  const named = Object.keys(columns).filter((key) => !(ROLES as readonly string[]).includes(key));
  const modalities = new Map<string, number>();
  for (const modality of new Set(['a', 'b', ...named])) {
    if (columns[modality] === null) continue;
    const index = find(modality);
    for (const [other, taken] of modalities) {
      if (taken !== index) continue;
      throw new UsageError(
        `--column: the modalities "${other}" and "${modality}" both name the column "${header[index]}". Give each its own.`,
      );
    }
    modalities.set(modality, index);
  }
  if (modalities.size === 0) {
    throw new UsageError('--column sets every modality to null, expected at least one image column.');
  }
  const used = new Set([...Object.values(roles), ...modalities.values()]);
  const extra = new Map(
    header.map((name, index) => [name, index] as const).filter(([, index]) => !used.has(index)),
  );
  return { header, roles, modalities, extra };
}

function absentColumn(role: string, name: string, header: readonly string[], file: string): DataError {
  const what = role === name ? `no column "${name}"` : `no column "${name}" (--column ${role}=${name})`;
  const meant = nearest(name, header);
  const listed = header.map((column) => `"${column}"`).join(', ');
  let fix = `Name the one that is meant with --column ${role}=…`;
  if (meant !== undefined) fix = `Did you mean "${meant}"? Say --column ${role}=${meant}`;
  else if (header.length === 1 && /[;\t]/.test(name + header[0]))
    fix = 'Save the file with commas between the columns';
  const absent =
    role === 'a' || role === 'b' ? `, or --column ${role}=null if there is no such modality` : '';
  return new DataError(`${file}:1: ${what}; the columns are ${listed}. ${fix}${absent}.`);
}

/** Reads each row as a sample, or finds what is wrong in it. */
function readRows(
  records: readonly CsvRow[],
  table: Table,
  file: string,
): { samples: readonly Sample[]; bad: FaultGroup } {
  const faulty: FaultySample[] = [];
  const lineOf = new Map<string, number>();
  const cell = (row: CsvRow, index: number | undefined): string | undefined =>
    index === undefined ? undefined : row.cells[index] || undefined;
  const column = (index: number | undefined): string => `"${index === undefined ? '' : table.header[index]}"`;

  const samples = records.flatMap((row): Sample[] => {
    const problems: string[] = [];
    const complain = (problem: string) => problems.push(`${file}:${row.line}: ${problem}`);
    const id = cell(row, table.roles.id) ?? '';
    const earlier = lineOf.get(id);
    if (id === '') complain(`the id (column ${column(table.roles.id)}) is empty`);
    else if (earlier !== undefined) complain(`the id "${id}" already stands in line ${earlier}`);
    else lineOf.set(id, row.line);

    const subject = table.roles.subject === undefined ? id : cell(row, table.roles.subject);
    if (subject === undefined)
      complain(`"${id}" has no subject (column ${column(table.roles.subject)} is empty)`);

    const images: Record<string, FileSource> = {};
    for (const [modality, index] of table.modalities) {
      const written = cell(row, index);
      if (written === undefined) complain(`"${id}" has no image in column ${column(index)}`);
      else images[modality] = { kind: 'file', path: path.resolve(path.dirname(file), written) };
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
    return [
      {
        id,
        subject: subject!,
        images,
        ...(label === undefined ? {} : { label }),
        ...(fold === undefined ? {} : { fold: Number(fold) }),
        ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
        origin: `${file}:${row.line}`,
      },
    ];
  });
  const bad: FaultGroup = {
    headline: (problems) => `The manifest has ${problems} ${problems === 1 ? 'fault' : 'faults'}`,
    fix: 'Correct these lines, or leave them out.',
    faulty,
  };
  return { samples, bad };
}

/** Finds the samples of which a file is missing. */
async function missingFiles(samples: readonly Sample[], file: string): Promise<FaultGroup> {
  const faulty: FaultySample[] = [];
  const checked = mapOrdered(samples, 16, async ({ id, images, origin }) => {
    const problems: string[] = [];
    for (const [modality, source] of Object.entries(images)) {
      if (source.kind !== 'file') continue;
      const found = await stat(source.path).catch(() => undefined);
      if (found === undefined) problems.push(`${origin}: "${id}": no file ${source.path} (${modality})`);
      else if (!found.isFile()) problems.push(`${origin}: "${id}": not a file: ${source.path} (${modality})`);
    }
    return { kind: 'missing-file', id, problems } as const;
  });
  for await (const sample of checked) if (sample.problems.length > 0) faulty.push(sample);
  return {
    headline: (problems) =>
      `${problems} of the images named in ${file} ${problems === 1 ? 'is' : 'are'} missing`,
    fix: `Paths are relative to ${path.dirname(path.resolve(file))}. Correct the paths, add the files or leave the lines out.`,
    faulty,
  };
}
