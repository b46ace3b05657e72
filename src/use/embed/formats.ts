/** The forms in which features are written, and how one is chosen. */
import { extname } from 'node:path';
import { UsageError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import { npyFormat, safetensorsFormat } from './binaryFiles.js';
import type { FeatureFormat } from './featureFile.js';
import { parquetFormat } from './parquetFile.js';
import { csvFormat, projectorFormat } from './textFiles.js';

export const featureFormats: readonly FeatureFormat[] = [
  npyFormat,
  csvFormat,
  parquetFormat,
  safetensorsFormat,
  projectorFormat,
];

/**
 * Finds the form by `--format`, else by how the file ends.
 *
 * @throws UsageError naming the forms that there are
 */
export function featureFormat(out: string, asked: string | undefined): FeatureFormat {
  const names = featureFormats.map(({ name }) => name);
  if (asked !== undefined) {
    const found = featureFormats.find(({ name }) => name === asked);
    if (found !== undefined) return found;
    const meant = nearest(asked, names);
    throw new UsageError(
      `--format is ${asked}, expected one of ${names.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    );
  }
  const ending = extname(out).toLowerCase();
  const found = featureFormats.find(({ extension }) => extension === ending);
  if (found !== undefined) return found;
  const endings = featureFormats.flatMap(({ extension }) => extension ?? []).join(', ');
  throw new UsageError(
    `--out ${out} ends with ${ending || 'no extension'}, expected ${endings}, or a folder with --format projector`,
  );
}
