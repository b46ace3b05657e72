import { SettingNeeded } from '../../errors.js';

/** The most bytes that one decoded image or volume may take, where `data.maxBytes` says nothing else: 512 MiB. */
export const MAX_BYTES = 2 ** 29;

/**
 * Refuses an image or a volume that is larger than allowed. It is asked before anything is decompressed, as a small
 * file may say that it holds any size.
 *
 * @param bytes the size that the header declares
 * @param what the declared shape in words, such as `20000×20000 pixels`
 * @throws SettingNeeded
 */
export function refuseAbove(maxBytes: number, bytes: number, what: string, name: string): void {
  if (bytes <= maxBytes) return;
  throw new SettingNeeded(
    `${name}: its header says ${what}, which are ${inMebibytes(bytes)} when decoded; data.maxBytes allows ` +
      `${inMebibytes(maxBytes)}. If the file is sound, raise the limit: --set data.maxBytes=${bytes}.`,
    'data.maxBytes',
  );
}

function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
