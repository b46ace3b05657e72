import { csv } from '../csv.js';
import { writeFileAtomic } from '../files.js';

/** A sample to leave out. */
export interface DroppedSample {
  readonly id: string;
  /** For people: why. */
  readonly reason: string;
}

/** Writes a list of samples to leave out: CSV with the columns `id,reason`. */
export function writeDropList(file: string, samples: readonly DroppedSample[]): void {
  writeFileAtomic(file, csv([['id', 'reason'], ...samples.map(({ id, reason }) => [id, reason])]));
}
