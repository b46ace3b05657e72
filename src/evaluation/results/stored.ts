/**
 * The common rules of all stored results: undefined numbers are null, nobody changes a value, and errors name the file.
 */
import { z } from 'zod';
import { DataError } from '../../errors.js';

/**
 * A number that may be undefined, such as the AUC of one class. Computations yield NaN for it, and a result has null,
 * in memory as in JSON. A field that an older version did not write is null as well.
 */
export const storedNumber = z.preprocess(
  (value) => (value === undefined || (typeof value === 'number' && !Number.isFinite(value)) ? null : value),
  z.number().nullable().default(null),
);

type Plain = string | number | boolean | null | undefined | Float64Array;

/** The same type with everything read-only, to any depth. */
export type Immutable<T> = unknown extends T
  ? T
  : T extends Plain
    ? T
    : { readonly [Key in keyof T]: Immutable<T[Key]> };

/** A result, or a part of one, while it is computed. A number that will be stored as null is still NaN. */
export type Computed<T> = unknown extends T
  ? T
  : T extends Plain
    ? Exclude<T, null>
    : { readonly [Key in keyof T]: Computed<T[Key]> };

/**
 * Reads a stored result.
 *
 * @param content the text of the file, or the value that its JSON holds
 * @param file the name of the file for the error
 * @param what the name of the result and the command that makes it anew, for the error
 * @throws DataError naming the file and the first field that does not fit this version
 */
export function parseStored<Schema extends z.ZodType>(
  schema: Schema,
  content: unknown,
  file: string,
  { expected, command }: { readonly expected: string; readonly command: string },
): z.output<Schema> {
  const result = schema.safeParse(typeof content === 'string' ? jsonOf(content, file, command) : content);
  if (result.success) return result.data;
  throw new DataError(
    `${file}: ${expected} of this version (${firstIssue(result.error)}); run ${command} again`,
  );
}

/** Names the first field that a schema does not take, and says why: `rows.0.key: Invalid input: …`. */
export function firstIssue({ issues: [issue] }: z.ZodError): string {
  const { path, message } = issue!;
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}

function jsonOf(text: string, file: string, command: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`${file}: is not JSON (${(error as Error).message}); run ${command} again`);
  }
}
