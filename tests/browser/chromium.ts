/** Debian's Chromium, in which tests open pages. Where it is not there they are left out, and say so. */
import { accessSync, constants } from 'node:fs';

export const CHROMIUM = '/usr/bin/chromium';

export const OPTIONS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** @param what what is not done without it */
export function chromiumIsThere(what: string): boolean {
  try {
    accessSync(CHROMIUM, constants.X_OK);
    return true;
  } catch {
    console.warn(`${CHROMIUM} is not there, so ${what}: apt-get install chromium`);
    return false;
  }
}
