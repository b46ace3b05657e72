/**
 * A folder of results in two compressed files. `cells.json.br` holds the JSON documents, curves and the columns of samples, each
 * distinct one once; `scores.br` the score columns of all predictions, each distinct one once. `SHA256SUMS` has the checksums of
 * these and of the tables beside them, for `sha256sum --check` too.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { keptNumbers } from './keptNumbers.mjs';
import { decodeScores, encodeScores, roundedColumn } from './scores.mjs';

const CELLS = 'cells.json.br';
const SCORES = 'scores.br';
const SUMS = 'SHA256SUMS';
const SAMPLE_COLUMNS = ['id', 'subject', 'fold', 'label'];

/** What a person can mend; its message is all that is shown. */
export class PackingError extends Error {}

/**
 * Packs the results in `from` into `to`. Tables that lie in `to` already stay, and get their checksums.
 *
 * @param from an experiment's folder, of which `experiment.json` and `cells/` are packed, or a folder with single evaluations
 */
export function pack(from, to) {
  if (!existsSync(from)) throw new PackingError(`${from}: there is no such folder`);
  for (const name of [CELLS, SCORES]) {
    if (existsSync(join(to, name))) throw new PackingError(`${join(to, name)} exists: delete it first`);
  }
  const packed = packedFiles(from);
  mkdirSync(to, { recursive: true });
  writeFileSync(
    join(to, CELLS),
    compressed(Buffer.from(JSON.stringify(packed.cells)), constants.BROTLI_MODE_TEXT),
  );
  writeFileSync(join(to, SCORES), compressed(packed.scores, constants.BROTLI_MODE_GENERIC));
  writeSums(to);
}

/**
 * Makes the folder `to` that `anatomy experiment table` and `analysis.mjs` read.
 *
 * @param from folder with the packed files
 */
export function unpack(from, to) {
  if (existsSync(to)) throw new PackingError(`${to} exists: choose another folder, or delete it first`);
  checkSums(from);
  const { documents, curves, samples, columns, predictions } = JSON.parse(
    decompressed(from, CELLS).toString(),
  );
  const scores = columnsOf(decodeScores(decompressed(from, SCORES)), columns);
  for (const [file, document] of Object.entries(documents)) {
    write(to, file, `${JSON.stringify(document)}\n`);
  }
  for (const [file, lines] of Object.entries(curves)) {
    write(to, file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  for (const [file, { samples: which, scores: keys }] of Object.entries(predictions)) {
    const cells = [
      ...SAMPLE_COLUMNS.map((name) => [name, ...samples[which][name]]),
      ...Object.entries(keys).map(([name, column]) => [name, ...scores[column]]),
    ];
    const lines = cells[0].map((_, row) => cells.map((column) => column[row]).join(','));
    write(to, file, `${lines.join('\n')}\n`);
  }
}

/** Writes the checksums of all files beside them anew. */
export function writeSums(folder) {
  const names = readdirSync(folder).filter((name) => name !== SUMS);
  const lines = names.sort().map((name) => `${checksum(join(folder, name))}  ${name}\n`);
  writeFileSync(join(folder, SUMS), lines.join(''));
}

/** @throws PackingError naming a file that is not what its checksum says */
export function checkSums(folder) {
  const sums = join(folder, SUMS);
  if (!existsSync(sums)) {
    throw new PackingError(
      `${folder}: no packed results here (no ${SUMS}); expected a folder of experiments/results`,
    );
  }
  for (const line of readFileSync(sums, 'utf8').trim().split('\n')) {
    const [sum, name] = line.split('  ');
    const file = join(folder, name);
    const remedy = `put it back with git checkout -- ${file}`;
    if (!existsSync(file)) throw new PackingError(`${file} is missing; ${remedy}`);
    if (checksum(file) !== sum) {
      throw new PackingError(`${file} is damaged: its checksum is not the one in ${sums}; ${remedy}`);
    }
  }
}

/** The content of the two files. */
function packedFiles(root) {
  const cells = { version: 1, documents: {}, curves: {}, samples: [], columns: [], predictions: {} };
  const samples = distinct(cells.samples);
  const columns = [];
  const column = distinct(columns);
  const parts = existsSync(join(root, 'experiment.json')) ? ['cells', 'experiment.json'] : ['.'];
  for (const path of parts.flatMap((part) => filesIn(join(root, part)))) {
    const file = relative(root, path).split(sep).join('/');
    const text = readFileSync(path, 'utf8');
    if (file.endsWith('.json')) cells.documents[file] = keptNumbers(JSON.parse(text));
    else if (file.endsWith('.jsonl')) cells.curves[file] = linesOf(text).map((line) => JSON.parse(line));
    else if (file.endsWith('.csv')) cells.predictions[file] = packedPredictions(text, path, samples, column);
    else throw new PackingError(`${path}: neither JSON, JSON lines nor predictions; move it elsewhere`);
  }
  cells.columns = columns.map(({ length }) => length);
  return { cells, scores: encodeScores(columns.flat()) };
}

function packedPredictions(text, path, samples, column) {
  const [head, ...lines] = linesOf(text).map((line) => line.split(','));
  if (
    SAMPLE_COLUMNS.some((name, i) => head[i] !== name) ||
    lines.some(({ length }) => length !== head.length)
  ) {
    throw new PackingError(
      `${path}: expected predictions with the columns ${SAMPLE_COLUMNS.join(', ')} and scores`,
    );
  }
  const at = (i) => lines.map((cells) => cells[i]);
  const told = Object.fromEntries(SAMPLE_COLUMNS.map((name, i) => [name, at(i)]));
  const scores = head.slice(SAMPLE_COLUMNS.length).map((name, i) => {
    const values = at(SAMPLE_COLUMNS.length + i).map(Number);
    return [name, column(roundedColumn(values, told.fold))];
  });
  return { samples: samples(told), scores: Object.fromEntries(scores) };
}

/** A function that adds a value to the list unless an equal one is in it, and returns its index. */
function distinct(list) {
  const known = new Map();
  return (value) => {
    const key = JSON.stringify(value);
    if (!known.has(key)) known.set(key, list.push(value) - 1);
    return known.get(key);
  };
}

function columnsOf(scores, lengths) {
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return scores.slice(start - length, start);
  });
}

/** The file, or all files of the folder, in a fixed order. */
function filesIn(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}

function linesOf(text) {
  return text.split('\n').filter((line) => line !== '');
}

function compressed(bytes, mode) {
  const params = {
    [constants.BROTLI_PARAM_MODE]: mode,
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  return brotliCompressSync(bytes, { params });
}

function decompressed(folder, name) {
  return brotliDecompressSync(readFileSync(join(folder, name)));
}

function checksum(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function write(root, file, text) {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
