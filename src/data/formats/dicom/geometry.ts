import type { DataSet } from 'dicom-parser';
import { TAGS } from './tags.js';
import { decimalsOf, functionalGroup, itemsOf } from './values.js';

/** Where a frame lies, as far as its header says so. Absent: it does not say, or not in numbers. */
export interface DicomGeometry {
  readonly spacing?: Spacing;
  /** The directions of a row and of a column, as [x, y, z] each, towards the patient's left, back and head. */
  readonly orientation?: readonly number[];
  /** The centre of the first pixel, as [x, y, z] in millimetres. */
  readonly position?: readonly number[];
  /** The UID of the origin of positions. Positions that name different ones cannot be compared. */
  readonly frameOfReference?: string;
}

export interface Spacing {
  /** Where it is measured: in the patient, at the detector, or on an ultrasound screen. */
  readonly at: 'patient' | 'detector' | 'screen';
  /** The distances of pixels in millimetres: of columns side by side, and of rows. */
  readonly across: number;
  readonly down: number;
}

/** Reads where a frame, counted from 0, lies. */
export function geometryOf(dataSet: DataSet, frame: number): DicomGeometry {
  const group = (macro: string) => functionalGroup(dataSet, frame, macro);
  return {
    spacing: spacingOf(dataSet, group(TAGS.pixelMeasures)),
    orientation: numbersOf(group(TAGS.planeOrientation), TAGS.orientation, 6),
    position: numbersOf(group(TAGS.planePosition), TAGS.position, 3),
    frameOfReference: dataSet.string(TAGS.frameOfReference) || undefined,
  };
}

function spacingOf(dataSet: DataSet, measures: DataSet): Spacing | undefined {
  for (const [at, numbers] of [
    ['patient', numbersOf(measures, TAGS.pixelSpacing, 2)],
    ['detector', numbersOf(dataSet, TAGS.detectorSpacing, 2)],
    ['screen', screenSpacing(dataSet)],
  ] as const) {
    const [down, across] = numbers ?? [];
    if (across !== undefined && down !== undefined && across > 0 && down > 0) return { at, across, down };
  }
  return undefined;
}

/** Reads the spacing of an ultrasound region, [down, across]; undefined where there is more than one, or no length. */
function screenSpacing(dataSet: DataSet): readonly number[] | undefined {
  const CENTIMETRES = 3;
  const [region, ...others] = itemsOf(dataSet, TAGS.regions);
  if (region === undefined || others.length > 0) return undefined;
  if (TAGS.regionUnits.some((tag) => region.uint16(tag) !== CENTIMETRES)) return undefined;
  return TAGS.regionDeltas.map((tag) => 10 * Math.abs(region.double(tag) ?? 0));
}

/** Reads numbers that are written as text; undefined where one of them is missing or none. */
function numbersOf(dataSet: DataSet, tag: string, count: number): readonly number[] | undefined {
  const numbers = decimalsOf(dataSet, tag).slice(0, count);
  return numbers.length === count && numbers.every(Number.isFinite) ? numbers : undefined;
}
