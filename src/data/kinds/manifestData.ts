import { stat } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../../errors.js';
import { inFrames, readAlignment } from '../open/alignment.js';
import { CARD_FILE, factsOf, readDatasetCard } from '../open/datasetCard.js';
import { readManifest } from '../open/manifest.js';
import { type ManifestColumns, ROLES } from '../open/manifestColumns.js';
import type { Dataset } from '../sample.js';
import { type OpenOptions, settle, withSlices, withSubjects } from './fromFiles.js';
import { type DatasetSpec, refuseSubject } from './spec.js';

/** Opens a manifest, with what the card beside it says. */
export async function openManifest(file: string, spec: DatasetSpec, options: OpenOptions): Promise<Dataset> {
  const stem = path.parse(file).name;
  // The name "manifest" says nothing, but that of its folder does.
  const name = stem === 'manifest' ? path.basename(path.dirname(path.resolve(file))) : stem;
  const { columns, imageRoot } = spec;
  if (imageRoot !== undefined && !(await stat(imageRoot).catch(() => undefined))?.isDirectory()) {
    throw new UsageError(
      `--image-root ${imageRoot}: no such folder. Name the folder that image paths begin in.`,
    );
  }
  const card = await readDatasetCard(path.dirname(file));
  const named = spec.modalities ?? (namesModalities(columns) ? undefined : card.modalities);
  const manifest = await readManifest(file, { columns, modalities: named, imageRoot });
  const { modalities, namesSubjects } = manifest;
  if (namesSubjects) {
    refuseSubject(spec, `a manifest with a column of subjects (--column subject=null if it names none)`);
  }
  settle(manifest, options);
  const what = `${file}: no column "subject" (add it, or name it with --column subject=…)`;
  const samples = namesSubjects
    ? manifest.samples
    : await withSubjects(manifest.samples, what, spec, options);
  if (card.name === undefined && samples.some(({ extra }) => /\bmoved\b/.test(extra?.alignment ?? ''))) {
    options.onWarning?.(
      `${file}: says that images were aligned, but ${CARD_FILE} and alignment.json are not beside it, so they are read as they lie. Copy the whole folder.`,
    );
  }
  const placed =
    card.alignment === undefined
      ? samples
      : inFrames(
          samples,
          await readAlignment(path.join(path.dirname(file), card.alignment)),
          modalities,
          (modality) => columns?.[modality] ?? modality,
        );
  return { name, ...(await withSlices(placed, modalities, spec, options)), ...factsOf(card, modalities) };
}

function namesModalities(columns: ManifestColumns = {}): boolean {
  return Object.keys(columns).some((key) => !(ROLES as readonly string[]).includes(key));
}
