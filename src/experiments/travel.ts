/**
 * What of a run goes beside its cell, so that tables and figures can be made where only the cells are: test predictions under
 * pseudonyms, and the curves of the training, thinned.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../files.js';
import { type JsonLine, readJsonLines } from '../log/jsonLines.js';
import { runPaths } from '../training/runFolder.js';
import type { Cell } from './cells.js';
import { experimentPaths, readCell } from './folder.js';

/** Writes what travels, before the cell itself: a cell that is there is whole. */
export function packCell(cell: Cell, root: string): void {
  const paths = experimentPaths(root);
  if (cell.kind === 'pretrain') {
    const { metrics } = runPaths(join(root, cell.run));
    // A method that trains nothing logs nothing.
    if (existsSync(metrics)) write(paths.curves(cell.id), jsonLines(thinned(readJsonLines(metrics))));
  } else if (cell.kind === 'evaluate') {
    const file = predictionsIn(join(root, cell.results), cell.protocol.protocol);
    if (file !== undefined) write(paths.predictions(cell.id), rounded(readFileSync(file, 'utf8')));
  }
}

/** The same for cells that were finished before cells travelled. */
export function packFinished(cells: readonly Cell[], root: string): void {
  const paths = experimentPaths(root);
  for (const cell of cells) {
    const file = cell.kind === 'pretrain' ? paths.curves(cell.id) : paths.predictions(cell.id);
    if (cell.kind !== 'pairs' && readCell(root, cell.id) !== undefined && !existsSync(file))
      packCell(cell, root);
  }
}

/** Eight digits tell probabilities apart as well as sixteen, in half the space. */
function rounded(predictions: string): string {
  return predictions.replace(/\d+\.\d+(e[+-]?\d+)?/g, (number) =>
    String(Number(Number(number).toPrecision(8))),
  );
}

/** The predictions that an evaluation left in its folder, of the protocol that the name begins with. */
function predictionsIn(folder: string, protocol: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  const own = readdirSync(folder).filter((name) => name.endsWith('-predictions.csv'));
  const name =
    own.find((one) => one === `${protocol}-predictions.csv`) ?? (own.length === 1 ? own[0] : undefined);
  return name === undefined ? undefined : join(folder, name);
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
