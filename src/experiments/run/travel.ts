/**
 * What of a run goes beside its cell, so that tables and figures can be made where only the cells are: test predictions under
 * pseudonyms, and the curves of the training, thinned.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { evaluationPaths, type NamedResult } from '../../evaluation/saveEvaluation.js';
import { writeFileAtomic } from '../../files.js';
import { type JsonLine, readJsonLines } from '../../log/jsonLines.js';
import { runPaths } from '../../training/runFolder.js';
import { experimentPaths } from '../stored/folder.js';
import type { EvaluationCell, PretrainingCell } from './cells.js';

/** Written before the cell itself, as what goes with it: a cell that is there is whole. */
export function packCurves({ id, run }: PretrainingCell, root: string): void {
  const { metrics } = runPaths(join(root, run));
  // A method that trains nothing logs nothing.
  if (existsSync(metrics))
    write(experimentPaths(root).curves(id), jsonLines(thinned(readJsonLines(metrics))));
}

/** As {@link packCurves}. @param result what the evaluation found, which names its files */
export function packPredictions({ id, results }: EvaluationCell, root: string, result: NamedResult): void {
  const { predictions } = evaluationPaths(join(root, results), result);
  write(experimentPaths(root).predictions(id), rounded(readFileSync(predictions, 'utf8')));
}

/** Eight digits tell probabilities apart as well as sixteen, in half the space. */
function rounded(predictions: string): string {
  return predictions.replace(/\d+\.\d+(e[+-]?\d+)?/g, (number) =>
    String(Number(Number(number).toPrecision(8))),
  );
}

/** Lines of each kind that are kept: those where the monitors looked, and the others. */
const KEPT = 100;

/**
 * At most 200 lines, spread evenly, the first and the last included. Without the speed: a curve says nothing of the machine,
 * so that the same training leaves the same cell.
 */
export function thinned(lines: readonly JsonLine[]): JsonLine[] {
  const fewest = Math.min(...lines.map((line) => Object.keys(line).length));
  const looked = lines.filter((line) => Object.keys(line).length > fewest);
  const kept = new Set([...spread(looked), ...spread(lines.filter((line) => !looked.includes(line)))]);
  return lines.filter((line) => kept.has(line)).map(({ pairsPerSecond: _, ...line }) => line);
}

function spread(lines: readonly JsonLine[]): JsonLine[] {
  if (lines.length <= KEPT) return [...lines];
  return Array.from({ length: KEPT }, (_, i) => lines[Math.round((i * (lines.length - 1)) / (KEPT - 1))]!);
}

/** As `metrics.jsonl` has them: what is not finite by name. */
function jsonLines(lines: readonly JsonLine[]): string {
  const shown = (_: string, value: unknown) =>
    typeof value !== 'number' ? value : Number.isFinite(value) ? Number(value.toPrecision(6)) : String(value);
  return lines.map((line) => `${JSON.stringify(line, shown)}\n`).join('');
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileAtomic(file, text);
}
