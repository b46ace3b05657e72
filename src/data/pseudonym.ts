/** Names for samples that may leave the machine: they say nothing about a patient. */
import { createHash, createHmac } from 'node:crypto';
import type { Sample } from './sample.js';

/** The hash of a data hash, which may be told. The data hash itself is the key of the pseudonyms and stays secret. */
export function published(dataHash: string): string {
  return createHash('sha256').update(`published ${dataHash}`).digest('hex');
}

/**
 * Names a subject or sample by a keyed hash, whose key is the hash of the data. The name says nothing about it, and
 * only those who hold the data can link it back.
 */
export function pseudonym(kind: 'subject' | 'sample', id: string, dataHash: string): string {
  const hash = createHmac('sha256', dataHash).update(`${kind} ${id}`).digest('hex').slice(0, 12);
  return `${kind === 'subject' ? 'S' : 'P'}-${hash}`;
}

/** Puts the samples under pseudonyms and leaves out further columns, which may name patients too. */
export function pseudonymous(samples: readonly Sample[], dataHash: string): Sample[] {
  return samples.map(({ id, subject, extra: _, origin: __, ...sample }) => ({
    ...sample,
    id: pseudonym('sample', id, dataHash),
    subject: pseudonym('subject', subject, dataHash),
  }));
}
