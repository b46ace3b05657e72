/** Writes and reads `metrics.jsonl`, one JSON object on each line. */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { DataError } from '../errors.js';
import { isSystemError, namingFile, writeFileAtomic } from '../files.js';

export type JsonValue =
  | number
  | string
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** One line of `metrics.jsonl`. Keys that are `undefined` are not written. */
export type JsonLine = { readonly step: number; readonly [key: string]: JsonValue | undefined };

/**
 * Appends to a JSON Lines file. Each object is one line, and is handed to the operating system at once, so that a crash
 * of the process loses none and tears at most the last.
 *
 * JSON has no numbers for NaN and the infinities, so they are written as the strings "NaN", "Infinity" and "-Infinity",
 * at any depth. `readJsonLines` turns these three strings back into numbers.
 */
export class JsonLinesWriter {
  readonly path: string;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    this.#file = namingFile(path, () => openSync(path, 'a+'));
    if (!endsWithNewline(this.#file)) {
      closeSync(this.#file);
      throw new DataError(
        `${path} ends in an unfinished line; cut it back to the checkpoint's step before appending`,
      );
    }
  }

  write(line: JsonLine): void {
    if (!isStep(line.step)) throw new RangeError(`step must be a whole number from 0, got ${line.step}`);
    const text = `${JSON.stringify(line, nonFiniteAsString)}\n`;
    namingFile(this.path, () => writeFileSync(this.#file, text));
  }

  /** Waits until everything written is on the disk. Call it before a checkpoint of the same step is saved. */
  sync(): void {
    namingFile(this.path, () => fsyncSync(this.#file));
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Reads all lines of a file. A last line is left out if a crash has torn it or a live run is still writing it. */
export function readJsonLines(path: string): JsonLine[] {
  return parseLines(path).map(({ value }) => value);
}

/** What `cutBack` found. */
export interface CutBack {
  /** The number of lines that stay. */
  readonly kept: number;
  /** The number of lines of later steps, and of a torn one. */
  readonly dropped: number;
  /** The number of lines of steps that an earlier line tells already; they are dropped too. */
  readonly repeated: number;
  /** The number of steps up to that of the checkpoint that no line tells. */
  readonly missing: number;
}

/**
 * Makes a metrics file end at the step of a checkpoint, with one line for each step. Lines of later steps, further
 * lines of the same step and a torn last line are dropped, and the others stay byte for byte. The file is replaced as
 * a whole, and only if it changes; a file that does not exist stays so.
 */
export function cutBack(path: string, step: number): CutBack {
  if (!existsSync(path)) return { kept: 0, dropped: 0, repeated: 0, missing: step };
  const before = readText(path);
  const lines = parseLines(path, before);
  const early = lines.filter(({ value }) => value.step <= step);
  const first = new Map(
    early.map((line) => [line.value.step, line]).reverse() as [number, (typeof early)[0]][],
  );
  const kept = early.filter((line) => first.get(line.value.step) === line);
  const repeated = early.length - kept.length;
  const after = kept.map(({ text }) => `${text}\n`).join('');
  if (after !== before) writeFileAtomic(path, after);
  const total = before.split('\n').filter((text) => text !== '').length;
  const steps = kept.filter(({ value }) => value.step > 0).length;
  return { kept: kept.length, dropped: total - early.length, repeated, missing: step - steps };
}

function parseLines(path: string, content = readText(path)): { text: string; value: JsonLine }[] {
  const texts = content.split('\n');
  if (texts.at(-1) === '') texts.pop();
  const lines: { text: string; value: JsonLine }[] = [];
  for (const [index, text] of texts.entries()) {
    const value = parseLine(text);
    if (value !== undefined) lines.push({ text, value });
    else if (index < texts.length - 1) {
      throw new DataError(
        `${path}, line ${index + 1}: expected a JSON object with a whole "step" from 0, got ${JSON.stringify(text.slice(0, 80))}`,
      );
    }
  }
  return lines;
}

function parseLine(text: string): JsonLine | undefined {
  try {
    const value: unknown = JSON.parse(text, stringAsNonFinite);
    return isJsonLine(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new DataError(`cannot read ${path}: ${cause.message}`, { cause });
  }
}

function endsWithNewline(file: number): boolean {
  const { size } = fstatSync(file);
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  readSync(file, last, 0, 1, size - 1);
  return last[0] === 0x0a;
}

function isJsonLine(value: unknown): value is JsonLine {
  return typeof value === 'object' && value !== null && 'step' in value && isStep(value.step);
}

function isStep(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function nonFiniteAsString(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function stringAsNonFinite(_key: string, value: unknown): unknown {
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : value;
}
