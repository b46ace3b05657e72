import { createHash, createHmac } from 'node:crypto';
import type { Sample } from './sample.js';

/** What is told of a data hash: the hash itself is the key of the pseudonyms, so only its own hash is. */
export function published(dataHash: string): string {
  return createHash('sha256').update(`published ${dataHash}`).digest('hex');
}

/**
 * A name for a subject or sample that says nothing about it and that only who holds the data can link back: a keyed hash,
 * the key being the hash of the data.
 */
export function pseudonym(kind: 'subject' | 'sample', id: string, dataHash: string): string {
  const hash = createHmac('sha256', dataHash).update(`${kind} ${id}`).digest('hex').slice(0, 12);
  return `${kind === 'subject' ? 'S' : 'P'}-${hash}`;
}

/** The samples under pseudonyms and without their further columns, which may name patients too: fit to travel. */
export function pseudonymous(samples: readonly Sample[], dataHash: string): Sample[] {
  return samples.map(({ id, subject, extra: _, origin: __, ...sample }) => ({
    ...sample,
    id: pseudonym('sample', id, dataHash),
    subject: pseudonym('subject', subject, dataHash),
  }));
}
