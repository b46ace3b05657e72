/**
 * Copies parts of a run beside its cell, so that tables and figures can be made where only the cells are: test
 * predictions under pseudonyms, and thinned curves of the training.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { evaluationPaths, type NamedResult } from '../../evaluation/saveEvaluation.js';
import { writeFileAtomic } from '../../files.js';
import { type JsonLine, readJsonLines } from '../../log/jsonLines.js';
import { runPaths } from '../../training/runFolder.js';
import { experimentPaths } from '../stored/folder.js';
import type { EvaluationCell, PretrainingCell } from './cells.js';

/** Writes the training curves. Call it before the cell is written: a cell that exists has all its files. */
export function packCurves({ id, run }: PretrainingCell, root: string): void {
  const { metrics } = runPaths(join(root, run));
  // A method that trains nothing has no log.
  if (existsSync(metrics))
    write(experimentPaths(root).curves(id), jsonLines(thinned(readJsonLines(metrics))));
}

/**
 * Writes the test predictions, before the cell like {@link packCurves}. @param result the evaluation's result, which
 * names its files
 */
export function packPredictions({ id, results }: EvaluationCell, root: string, result: NamedResult): void {
  const { predictions } = evaluationPaths(join(root, results), result);
  write(experimentPaths(root).predictions(id), rounded(readFileSync(predictions, 'utf8')));
}

/** Shortens numbers to eight digits, which tell probabilities apart as well as sixteen do, in half the space. */
function rounded(predictions: string): string {
  return predictions.replace(/\d+\.\d+(e[+-]?\d+)?/g, (number) =>
    String(Number(Number(number).toPrecision(8))),
  );
}

/** The number of lines that are kept of each kind: those with values of the monitors, and the others. */
const KEPT = 100;

/**
 * Keeps at most 200 lines, spread evenly, with the first and the last. The speed is left out: a curve says nothing of
 * the machine, so the same training leaves the same cell.
 */
export function thinned(lines: readonly JsonLine[]): JsonLine[] {
  const fewest = Math.min(...lines.map((line) => Object.keys(line).length));
  const looked = lines.filter((line) => Object.keys(line).length > fewest);
  const kept = new Set([...spread(looked), ...spread(lines.filter((line) => !looked.includes(line)))]);
  return lines
    .filter((line) => kept.has(line))
    .map(({ pairsPerSecond: _, communicationShare: __, ...line }) => line);
}

/** Picks at most {@link KEPT} lines at even distances, with the first and the last. */
function spread(lines: readonly JsonLine[]): JsonLine[] {
  if (lines.length <= KEPT) return [...lines];
  return Array.from({ length: KEPT }, (_, i) => lines[Math.round((i * (lines.length - 1)) / (KEPT - 1))]!);
}

/** Formats lines like those of `metrics.jsonl`: a number that is not finite becomes a string with its name. */
function jsonLines(lines: readonly JsonLine[]): string {
  const shown = (_: string, value: unknown) =>
    typeof value !== 'number' ? value : Number.isFinite(value) ? Number(value.toPrecision(6)) : String(value);
  return lines.map((line) => `${JSON.stringify(line, shown)}\n`).join('');
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileAtomic(file, text);
}
