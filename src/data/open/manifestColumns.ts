/** Finds out which column of a manifest plays which role. */
import { DataError, UsageError } from '../../errors.js';
import { isMissing } from '../../text/missing.js';
import { nearest } from '../../text/nearest.js';
import { shellWords } from '../../text/shell.js';
import { imageExtension } from '../formats/index.js';

/**
 * The column name of each role. Roles are `id`, `subject`, `label`, `fold`; any other key is a modality. The
 * modalities `a` and `b` are expected where none are named; `null` says that the data has no such column.
 */
export type ManifestColumns = Readonly<Record<string, string | null>>;

export const ROLES = ['id', 'subject', 'label', 'fold'] as const;
type Role = (typeof ROLES)[number];

/** Names of columns that most likely hold the subject. Overlooking one would leak patients across a split. */
const SUBJECT_LIKE =
  /^((subj(ect)?|pat(ient)?|participant|person|case)([ _-]?(id|no|nr|number|name|code|key))?|pid|mrn)$/i;

/** Tells whether a column, or a key of a sample in shards, most likely names the subject. */
export function looksLikeSubject(name: string): boolean {
  return SUBJECT_LIKE.test(name.trim());
}

export interface Table {
  readonly header: readonly string[];
  /** The column index of each role that is present; `id` always is. */
  readonly roles: Readonly<Partial<Record<Role, number>> & { id: number }>;
  readonly modalities: ReadonlyMap<string, number>;
  readonly extra: ReadonlyMap<string, number>;
}

/** A manifest's lines, and what is asked of them. */
export interface Layout {
  readonly header: readonly string[];
  /** The cells of each row, by which columns of images are told where an error lists them. */
  readonly rows: readonly (readonly string[])[];
  readonly columns: ManifestColumns;
  /** The modalities in their order; absent: `a`, `b` and those that `columns` names. */
  readonly modalities?: readonly string[];
}

/**
 * Lays the columns out.
 *
 * @throws DataError for an absent column, or one that looks like an absent one; UsageError for contradicting `columns`
 */
export function layOut({ header, rows, columns, modalities: asked }: Layout, file: string): Table {
  const repeated = header.find((name, i) => header.indexOf(name) !== i);
  if (repeated !== undefined) {
    throw new DataError(`${file}:1: the column "${repeated}" occurs twice. Rename or remove one of them.`);
  }
  const find = (role: string): number => {
    const name = columns[role] ?? role;
    const index = header.findIndex((one) => one.normalize() === name.normalize());
    if (index >= 0) return index;
    if (asked?.includes(role) && role === name) throw absentModality(name, header, file);
    throw absentColumn(role, name, header, file);
  };
  const findOptional = (role: Role): number | undefined => {
    if (columns[role] === null) return undefined;
    if (typeof columns[role] === 'string' || header.includes(role)) return find(role);
    const lookalike = header.find(
      (name) => name.toLowerCase() === role || (role === 'subject' && looksLikeSubject(name)),
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
  const usual = ['a', 'b'].some((modality) => columns[modality] !== undefined || header.includes(modality));
  if (asked === undefined && !usual) {
    refuseUnnamed(header, rows, Object.values(roles), file);
  }
  refuseContradiction(columns, asked);
  const modalities = new Map<string, number>();
  for (const modality of asked ?? new Set(['a', 'b', ...named])) {
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

/**
 * Refuses columns of modalities that `--modalities` does not name, or that it names and they say are not there.
 *
 * @throws UsageError for the first of them
 */
export function refuseContradiction(columns: ManifestColumns, asked: readonly string[] | undefined): void {
  if (asked === undefined) return;
  for (const [modality, name] of Object.entries(columns)) {
    if ((ROLES as readonly string[]).includes(modality) || (asked.includes(modality) && name !== null))
      continue;
    if (!asked.includes(modality) && name === null) continue;
    const why = name === null ? 'says that there is none' : 'names a modality that --modalities leaves out';
    throw new UsageError(
      `--column ${modality}=${name} ${why}, and --modalities names ${asked.join(', ')}. Change one of the two.`,
    );
  }
}

/** Columns of images that are most likely no modality: what people or programs drew into the images. */
const MASK_LIKE = /mask|segm?\b|segmentation|\broi\b|label|annotation|ground.?truth/i;

/** Tells whether a cell of this column names an image that is no mask. */
export function holdsImage(column: string, cell: string): boolean {
  return !MASK_LIKE.test(column) && imageExtension(cell.trim()) !== undefined;
}

/**
 * Refuses a manifest that has neither of the usual columns, where others hold paths of images: they are named in the
 * flag to type. Where none does, the absent column is the fault.
 */
function refuseUnnamed(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  used: readonly (number | undefined)[],
  file: string,
): void {
  const holdsImages = (index: number) => {
    const cells = rows.map((row) => row[index] ?? '').filter((cell) => !isMissing(cell));
    return cells.length > 0 && cells.every((cell) => imageExtension(cell.trim()) !== undefined);
  };
  const found = header.filter((_, index) => !used.includes(index) && holdsImages(index));
  if (found.length === 0) return;
  const masks = found.filter((name) => MASK_LIKE.test(name));
  const images = found.length > masks.length ? found.filter((name) => !masks.includes(name)) : found;
  const listed = images.map((name) => `"${name}"`).join(', ');
  const left =
    images.length < found.length ? ` Left out here: ${masks.map((name) => `"${name}"`).join(', ')}.` : '';
  throw new DataError(
    `${file}:1: no columns "a" and "b"; columns that hold paths of images are ${listed}. Name the modalities: ` +
      `--modalities ${shellWords(images)}.${left}`,
  );
}

function absentModality(name: string, header: readonly string[], file: string): DataError {
  const meant = nearest(name, header);
  const fix =
    meant === undefined
      ? `If it has another name, say --column ${name}=…`
      : `Did you mean "${meant}"? If the modality shall have another name than its column, say --column ${name}=${meant}`;
  return new DataError(
    `${file}:1: --modalities names "${name}", but the columns are ${header.map((one) => `"${one}"`).join(', ')}. ${fix}.`,
  );
}

function absentColumn(role: string, name: string, header: readonly string[], file: string): DataError {
  const what = role === name ? `no column "${name}"` : `no column "${name}" (--column ${role}=${name})`;
  const meant = nearest(name, header);
  const listed = header.map((column) => `"${column}"`).join(', ');
  let fix = `Name the one that is meant with --column ${role}=…`;
  if (meant !== undefined) fix = `Did you mean "${meant}"? Say --column ${role}=${meant}`;
  const absent =
    role === 'a' || role === 'b' ? `, or --column ${role}=null if there is no such modality` : '';
  return new DataError(`${file}:1: ${what}; the columns are ${listed}. ${fix}${absent}.`);
}
