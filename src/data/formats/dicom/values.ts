import type { DataSet } from 'dicom-parser';
import type { Values } from '../distribution.js';
import type { FileWindow, Pixels } from '../pixels.js';
import { reasonOf } from './dataSet.js';
import type { Samples } from './rle.js';
import { readTable } from './table.js';
import { TAGS } from './tags.js';

/** The place of a sample's bits in its cell. */
export interface StoredBits {
  readonly stored: number;
  readonly high: number;
  readonly signed: boolean;
}

/** Gives the stored bits of each cell as a number. Other bits of a cell, such as an overlay, are dropped. */
export function unpackBits(cells: Samples, { stored, high, signed }: StoredBits): Values {
  const shift = high - stored + 1;
  if (!signed) {
    const whole = shift === 0 && stored === 8 * cells.BYTES_PER_ELEMENT;
    if (whole) return cells;
    const mask = 2 ** stored - 1;
    const wide = cells instanceof Uint16Array && stored > 8;
    return wide
      ? cells.map((cell) => (cell >> shift) & mask)
      : Uint8Array.from(cells, (cell) => (cell >> shift) & mask);
  }
  // A compressed image may have fewer bits than the header says.
  const left = 32 - Math.min(stored, 8 * cells.BYTES_PER_ELEMENT) - shift;
  return Int16Array.from(cells, (cell) => (cell << left) >> (left + shift));
}

/**
 * Turns stored values into the values that the file means, such as Hounsfield units (PS3.3 C.11.1), and reads the
 * windows that it carries for them (C.11.2). Enhanced objects keep both in functional groups, for all frames or for
 * each.
 *
 * @throws Error if the groups, the rescaling or the modality table are damaged
 */
export function meaningOf(
  dataSet: DataSet,
  frame: number,
  values: Values,
  { stored, signed }: StoredBits,
): Pick<Pixels, 'data' | 'fullScale' | 'windows'> {
  const transformed = functionalGroup(dataSet, frame, TAGS.pixelValueTransformation);
  const viewed = functionalGroup(dataSet, frame, TAGS.frameVoi);
  const slope = transformed.floatString(TAGS.rescaleSlope) ?? 1;
  const intercept = transformed.floatString(TAGS.rescaleIntercept) ?? 0;
  if (!Number.isFinite(slope) || !Number.isFinite(intercept) || slope === 0) {
    throw new Error(`the rescale slope is ${slope} and the intercept ${intercept}`);
  }
  const [item] = itemsOf(dataSet, TAGS.modalityTable);
  const table = item && readTable(item, ITEM_TAGS, signed);
  if (table !== undefined) {
    const { first, output } = table;
    const data = Uint16Array.from(
      values,
      (value) => output[Math.max(0, Math.min(output.length - 1, value - first))]!,
    );
    return { data, windows: windowsOf(viewed, false) };
  }
  if (slope !== 1 || intercept !== 0) {
    const data = Float32Array.from(values, (value) => value * slope + intercept);
    return { data, windows: windowsOf(viewed, true) };
  }
  const plain = stored <= 8 && !signed;
  return {
    data: values,
    fullScale: plain ? [0, 2 ** stored - 1] : undefined,
    windows: windowsOf(viewed, signed),
  };
}

/** The attributes of a table that is the item of a sequence. */
const ITEM_TAGS = { descriptor: TAGS.tableDescriptor, data: TAGS.tableData };

/** Reads the windows: tables come first, then linear and sigmoid windows, both in the file's order. */
function windowsOf(dataSet: DataSet, signed: boolean): FileWindow[] {
  const windows = itemsOf(dataSet, TAGS.voiTable).flatMap((item) => tableWindow(item, signed));
  const shape = dataSet.string(TAGS.windowFunction) ?? 'LINEAR';
  const widths = decimalsOf(dataSet, TAGS.windowWidth);
  for (const [i, centre] of decimalsOf(dataSet, TAGS.windowCentre).entries()) {
    const width = widths[i];
    if (width === undefined || !Number.isFinite(centre) || !(width > 0)) continue;
    if (shape === 'SIGMOID') windows.push({ kind: 'sigmoid', centre, width });
    else if (shape === 'LINEAR_EXACT') {
      windows.push({ kind: 'linear', low: centre - width / 2, high: centre + width / 2 });
    } else {
      // PS3.3 C.11.2.1.2.1 counts whole values: a window of width 2 is black at one and white at the next.
      const half = (Math.max(1, width) - 1) / 2;
      windows.push({ kind: 'linear', low: centre - 0.5 - half, high: centre - 0.5 + half });
    }
  }
  return windows;
}

/** Reads the numbers of an attribute that writes them as text; NaN where one is no number. */
export function decimalsOf(dataSet: DataSet, tag: string): readonly number[] {
  const count = dataSet.numStringValues(tag) ?? 0;
  return Array.from({ length: count }, (_, i) => dataSet.floatString(tag, i) ?? Number.NaN);
}

/** Reads the table of an item, if it has one. A damaged one is told only where the window is asked for. */
function tableWindow(item: DataSet, signed: boolean): FileWindow[] {
  try {
    const table = readTable(item, ITEM_TAGS, signed);
    return table === undefined ? [] : [table];
  } catch (error) {
    return [{ kind: 'damaged', reason: reasonOf(error) }];
  }
}

/**
 * Finds the data set that holds a macro's attributes for a frame: that of the frame, the one for all frames, or the
 * file's own.
 */
export function functionalGroup(dataSet: DataSet, frame: number, macro: string): DataSet {
  for (const group of [itemsOf(dataSet, TAGS.frameGroups)[frame], itemsOf(dataSet, TAGS.sharedGroups)[0]]) {
    const [item] = group === undefined ? [] : itemsOf(group, macro);
    if (item !== undefined) return item;
  }
  return dataSet;
}

/** Gives the items of a sequence; none if it is missing or empty. */
export function itemsOf(dataSet: DataSet, tag: string): readonly DataSet[] {
  return (dataSet.elements[tag]?.items ?? []).flatMap((item) => (item.dataSet ? [item.dataSet] : []));
}
