/** Findings about sound files that need a setting before they are of use. */
import type { DataFault } from '../faults.js';
import type { Sample } from '../sample.js';
import { type Finding, finding } from './finding.js';
import type { ImageTable } from './measures/imageTable.js';
import { isNarrowLevel, usesFewLevels } from './measures/picture.js';
import type { Scan } from './scan.js';

/** Finds images that cannot be used before a setting says how, and gray levels that a setting would spread. */
export function settingFindings(scan: Scan, faults: readonly DataFault[]): Finding[] {
  return [...needsSetting(scan, faults), ...narrowRange(scan)];
}

function needsSetting({ dataset, unreadable }: Scan, faults: readonly DataFault[]): Finding[] {
  const images = unreadable.flatMap(({ position, modality, problem, setting }) => {
    const { id, images } = dataset.samples[position]!;
    if (setting === undefined) return [];
    return [{ ids: [id], modality, detail: withoutPlace(problem, images), place: problem }];
  });
  const settings = new Set(unreadable.flatMap(({ setting }) => setting ?? []));
  const samples = faults.filter(({ kind }) => kind === 'needs-setting');
  const named = settings.size === 0 ? 'the setting that each line names' : [...settings].sort().join(' and ');
  return finding({
    code: 'needs-setting',
    severity: 'error',
    title: 'Images that need a setting',
    explanation:
      'These files are sound, but nothing says how they are to be read, so every run stops at them.',
    fix: `Write ${named}; no sample has to be left out.`,
    items: [
      ...images,
      ...samples.map(({ id, message }) => ({
        ids: [id],
        detail: 'the file is sound, but a setting must say how it is read',
        place: message,
      })),
    ],
  });
}

/** Takes the file off a reader's message, which begins with it, as its name may be a patient's. */
export function withoutPlace(problem: string, images: Sample['images']): string {
  const places = Object.values(images).flatMap((source) => {
    if (source.kind === 'generated') return [];
    return source.kind === 'member' ? [`${source.path}: ${source.name}`, source.path] : [source.path];
  });
  return places.reduce((text, place) => text.replaceAll(place, ''), problem).replace(/^: /, '');
}

/** Tells whether most images of a modality use a small part of the gray levels. */
export function isNarrow(table: ImageTable): boolean {
  const tops = topsOf(table);
  return usesFewLevels(tops.filter(isNarrowLevel).length, tops.length);
}

/** Lists the highest levels of the images that are not of one level. */
function topsOf({ top, deviation }: ImageTable): number[] {
  return [...top].filter((_, position) => deviation[position]! > 0);
}

function narrowRange({ dataset, images }: Scan): Finding[] {
  const items = dataset.modalities.flatMap((modality, i) => {
    const table = images[i]!;
    if (!isNarrow(table)) return [];
    const tops = topsOf(table);
    const narrow = tops.filter(isNarrowLevel);
    const top = narrow.reduce((most, level) => Math.max(most, level), 0);
    const detail = `${narrow.length} of ${tops.length} images use the levels 0 to ${top} of 255: ${spreadSetting(modality)}`;
    return [{ ids: [], modality, detail: `${modality}: ${detail}`, value: top }];
  });
  return finding({
    code: 'narrow-range',
    severity: 'warning',
    title: 'Images that use a small part of the gray levels',
    explanation:
      'Often 10, 12 or 14 bits stored in 16, or numbers of classes: little is left of them in 8 bits, and they are all but black.',
    fix: 'Say which values are black and white, with the setting that each line shows.',
    items,
  });
}

/** Writes the setting that spreads the gray levels of a modality. */
export function spreadSetting(modality: string): string {
  return `--set data.preprocess.${modality}.intensity='{kind: percentile, low: 1, high: 99}', or '{kind: window, low: …, high: …}'`;
}
