import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../../bench/readers/fuzz.mjs', import.meta.url));

// `npm run fuzz` draws many more, and compares with pydicom, nibabel and Pillow.
test('of 350 files drawn by their format’s structure each is read as written or refused by a DataError', async () => {
  const parameters = ['--count', '350', '--seed', '1', '--without-reference'];
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...parameters]);
  const [header, , ...rows] = stdout
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(rows.map(([, format]) => format)).toEqual(['dicom', 'nifti', 'tiff', 'png', 'bmp', 'csv', 'shards']);
  for (const row of rows) {
    const told = Object.fromEntries(header!.map((outcome, i) => [outcome, row[i]]));
    expect(told).toMatchObject({ DIFFERENT: '0', CRASH: '0', HANG: '0', 'RAW ERROR': '0', PRINTED: '0' });
  }
});
