/** States and numbers as people read them. */
import type { RunState } from '../src/server/messages.js';

export const STATE_WORDS: Readonly<Record<RunState, string>> = {
  training: 'training',
  starting: 'starting',
  finished: 'finished',
  interrupted: 'interrupted',
  gone: 'no longer alive',
  diverged: 'diverged',
  unreadable: 'cannot be read',
};

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function fileSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

export function ago(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  return seconds < 5 ? 'now' : `${duration(seconds)} ago`;
}

/** Four digits that count, without an exponent where it is short. */
export function brief(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** A count with its noun, such as `1 experiment` or `3 experiments`. */
export function numbered(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
