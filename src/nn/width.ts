/** The factor on the channels of all layers. */
import { TensorError } from '../tensor/index.js';

/**
 * Words what is wrong with a width, undefined where nothing is.
 * @param narrowest the channels at width 1 that all others are multiples of
 */
export function widthFault(width: number, narrowest: number): string | undefined {
  const channels = width * narrowest;
  if (Number.isInteger(channels) && channels >= 1) return undefined;
  const near = Math.max(1, Math.round(channels)) / narrowest;
  return `expected a positive multiple of 1/${narrowest}, so that all layers have a whole number of channels; ${near} is the nearest`;
}

/** @throws TensorError on a width that gives no whole number of channels */
export function checkWidth(who: string, width: number, narrowest: number): void {
  const fault = widthFault(width, narrowest);
  if (fault !== undefined) throw new TensorError(`${who}: width is ${width}, ${fault}`);
}
