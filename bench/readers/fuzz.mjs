// npm run fuzz: files drawn by their format's structure, one in five damaged, are read by our readers (dist/) and by
// pydicom, nibabel and Pillow, and compared value by value. Needs python3-pydicom python3-gdcm python3-nibabel
// python3-pil (apt-get install), or --without-reference: then only with what a file was made from, where that is known.
// Options: --count 2000 --seed 1 --from 0 (the first file's number) --only dicom,png --save FOLDER (files that failed)
//          --seconds 30 (the limit for one file) --python /usr/bin/python3 --reasons (of refusals, counted)
//          --facts (what was drawn, for each file that failed)
// A file is a pure function of format, seed and number. Prints a table; ends with 1 if anything differs, crashes, hangs,
// prints, or fails with an error that is not ours or does not name the file.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseOptions } from '../options.mjs';
import { drawBmp } from './bmp.mjs';
import { makeCodestreams } from './codestreams.mjs';
import { drawCsv, pictureFiles } from './csv.mjs';
import { drawDicom } from './dicom.mjs';
import { Draw, damage } from './draw.mjs';
import { isFailure, judge, OUTCOMES } from './judge.mjs';
import { LineWorker } from './lineWorker.mjs';
import { drawNifti } from './nifti.mjs';
import { drawPng } from './png.mjs';
import { drawShard } from './shards.mjs';
import { drawTiff } from './tiff.mjs';

const options = parseOptions(import.meta.url, {
  count: { type: 'string', default: '2000' },
  seed: { type: 'string', default: '1' },
  from: { type: 'string', default: '0' },
  only: { type: 'string', default: 'dicom,nifti,tiff,png,bmp,csv,shards' },
  save: { type: 'string' },
  seconds: { type: 'string', default: '30' },
  python: { type: 'string', default: '/usr/bin/python3' },
  reasons: { type: 'boolean', default: false },
  facts: { type: 'boolean', default: false },
  'without-reference': { type: 'boolean', default: false },
});
const BATCH = 200;
const [count, from, seconds] = [options.count, options.from, options.seconds].map(Number);
const formats = options.only.split(',');
const codestreams = formats.includes('dicom') ? await makeCodestreams() : [];
const generators = {
  dicom: (draw) => drawDicom(draw, codestreams),
  nifti: drawNifti,
  tiff: drawTiff,
  png: drawPng,
  bmp: drawBmp,
  csv: drawCsv,
  shards: drawShard,
};

const beside = (name) => fileURLToPath(new URL(name, import.meta.url));
const ours = new LineWorker([process.execPath, beside('read.mjs')], seconds);
const reference = options['without-reference']
  ? undefined
  : new LineWorker([options.python, beside('reference.py')], seconds);
const folder = mkdtempSync(join(tmpdir(), 'anatomy-fuzz-'));
const counts = Object.fromEntries(formats.map((format) => [format, {}]));
const refusals = new Map();
let failures = 0;

try {
  for (let first = from; first < from + count; first += BATCH) {
    await judgeBatch(first, Math.min(first + BATCH, from + count));
  }
} finally {
  ours.close();
  reference?.close();
  rmSync(folder, { recursive: true });
}
printTable();
process.exitCode = failures > 0 ? 1 : 0;

async function judgeBatch(first, end) {
  const batch = join(folder, String(first));
  mkdirSync(batch);
  if (formats.includes('csv'))
    for (const [name, bytes] of pictureFiles()) writeFileSync(join(batch, name), bytes);
  const files = [];
  for (let number = first; number < end; number += 1) {
    const format = formats[number % formats.length];
    const draw = new Draw('fuzz', format, Number(options.seed), number);
    const { bytes, extension, truth, facts, ...question } = generators[format](draw);
    const damaged = draw.chance(0.2);
    const path = join(batch, `${number}${extension}`);
    writeFileSync(path, damaged ? damage(draw, bytes) : bytes);
    files.push({
      format,
      number,
      facts: { ...facts, damaged },
      question: { ...question, path },
      truth: damaged ? undefined : truth,
    });
  }
  const questions = files.map(({ question }) => question);
  const comparable = questions.filter(({ reader }) => reader !== 'dataset');
  const [read, known] = await Promise.all([ours.ask(questions), reference?.ask(comparable)]);
  for (const [i, file] of files.entries()) {
    const verdict = judge(read[i], {
      truth: file.truth,
      reference: known?.[comparable.indexOf(file.question)],
    });
    tell(file, verdict);
  }
  rmSync(batch, { recursive: true });
}

function tell({ format, number, facts, question }, { outcome, reason }) {
  counts[format][outcome] = (counts[format][outcome] ?? 0) + 1;
  if (outcome.startsWith('refused')) {
    const words = `${outcome}: ${format}: ${reason.replaceAll(question.path, 'FILE').replace(/\d+/g, 'N').slice(0, 150)}`;
    refusals.set(words, (refusals.get(words) ?? 0) + 1);
  }
  if (!isFailure(outcome)) return;
  failures += 1;
  console.log(
    `${outcome}: --only ${options.only} --seed ${options.seed} --from ${number} --count 1: ${format}: ${reason}`,
  );
  if (options.facts) console.log(`  ${JSON.stringify(facts)}`);
  if (options.save === undefined) return;
  mkdirSync(options.save, { recursive: true });
  const extension = question.path.slice(question.path.lastIndexOf(`/${number}`) + 1 + String(number).length);
  copyFileSync(question.path, join(options.save, `${format}-${options.seed}-${number}${extension}`));
}

function printTable() {
  const shown = OUTCOMES.filter(
    (outcome) => isFailure(outcome) || formats.some((format) => counts[format][outcome]),
  );
  console.log(`| | ${shown.join(' | ')} |\n|${'---|'.repeat(shown.length + 1)}`);
  for (const format of formats) {
    console.log(`| ${format} | ${shown.map((outcome) => counts[format][outcome] ?? 0).join(' | ')} |`);
  }
  if (!options.reasons) return;
  for (const [words, times] of [...refusals].sort(([, a], [, b]) => b - a))
    console.log(`${times} × ${words}`);
}
