import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../../bench/readers/fuzz.mjs', import.meta.url));

// `npm run fuzz` draws many more, and compares with pydicom, nibabel and Pillow.
test('of 280 files drawn by their format’s structure each is read as written or refused by a DataError', async () => {
  const parameters = [script, '--count', '280', '--seed', '1', '--without-reference'];
  const { stdout } = await promisify(execFile)(process.execPath, parameters).catch(
    // The script ends with 1 after a failure; its lines tell more than that.
    (ended: { stdout: string }) => ended,
  );
  const lines = stdout.trim().split('\n');
  expect(lines.filter((line) => /^[A-Z ]+: /.test(line))).toEqual([]);
  const formats = lines.slice(2).map((line) => line.split('|')[1]?.trim());
  expect(formats).toEqual(['dicom', 'nifti', 'tiff', 'png', 'bmp', 'csv', 'shards']);
});
