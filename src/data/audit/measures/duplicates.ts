/**
 * The room `data/audit/measures` measures images and pairs, for the audit to judge. This file finds images that are
 * repeated.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dataset } from '../../sample.js';
import { DetailTable } from './detail.js';
import { HashIndex } from './hashIndex.js';
import { BLANK_SHARE, DIGEST_BYTES, type Picture } from './picture.js';
import { isReadable, readPictures } from './readPictures.js';

/** Samples that show the same picture in one modality. */
export interface DuplicateGroup {
  /**
   * The likeness. `exact`: equal pixels; `near`: the same picture resized, recompressed, shifted a little or
   * annotated.
   */
  readonly kind: 'exact' | 'near';
  readonly modality: string;
  /** The positions in `dataset.samples`, ascending, at least two. */
  readonly members: readonly number[];
}

export interface DuplicateOptions {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Finds every group of duplicates within each modality: the exact ones, and the near ones with their exact copies
 * among them. Blank images are all alike, but are no duplicates. Images that cannot be read are left out, as the
 * audit names them.
 */
export async function findDuplicates(
  dataset: Dataset,
  { onProgress, signal }: DuplicateOptions = {},
): Promise<DuplicateGroup[]> {
  const { samples, modalities } = dataset;
  const prints = modalities.map(() => new PrintTable(samples.length));
  for await (const { position, pictures } of readPictures(dataset, signal)) {
    signal?.throwIfAborted();
    pictures.forEach((picture, i) => {
      if (picture !== undefined && isReadable(picture)) prints[i]!.set(position, picture);
    });
    onProgress?.(position + 1, samples.length);
  }
  const groups: DuplicateGroup[] = [];
  for (const [i, modality] of modalities.entries()) {
    groups.push(...(await groupDuplicates(dataset, modality, prints[i]!, signal)));
  }
  return groups;
}

/** The prints by which duplicates of one modality are found, about 600 bytes for each image. */
export class PrintTable {
  readonly #digests: Uint8Array;
  readonly #used: Uint8Array;
  readonly details: DetailTable;

  /** @param count the number of samples of the data set */
  constructor(count: number) {
    this.#digests = new Uint8Array(count * DIGEST_BYTES);
    this.#used = new Uint8Array(count);
    this.details = new DetailTable(count);
  }

  /** @param near whether near-duplicates of this image can be found, and not only exact copies */
  set(position: number, { digest, gray, flatShare }: Picture, near = true): void {
    if (flatShare >= BLANK_SHARE) return;
    this.#digests.set(digest, position * DIGEST_BYTES);
    this.#used[position] = 1;
    if (near) this.details.set(position, gray);
  }

  get count(): number {
    return this.#used.length;
  }

  has(position: number): boolean {
    return this.#used[position] === 1;
  }

  digest(position: number): string {
    return Buffer.from(this.#digests.buffer, position * DIGEST_BYTES, DIGEST_BYTES).toString('latin1');
  }
}

/**
 * Finds the groups of one modality by its filled table. It calibrates the details of the table, so they cannot be
 * used again.
 */
export async function groupDuplicates(
  { samples }: Pick<Dataset, 'samples'>,
  modality: string,
  prints: PrintTable,
  signal?: AbortSignal,
): Promise<DuplicateGroup[]> {
  const firsts = new Map<string, number>();
  const exact = new Groups(prints.count);
  for (let position = 0; position < prints.count; position += 1) {
    if (!prints.has(position)) continue;
    const digest = prints.digest(position);
    const first = firsts.get(digest);
    if (first === undefined) firsts.set(digest, position);
    else exact.join(first, position);
  }
  // One member of each exact group stands for all of it.
  const distinct = Uint32Array.from(firsts.values()).filter((position) => prints.details.has(position));
  firsts.clear();
  const { details } = prints;
  const threshold = details.calibrate((a, b) => samples[a]!.subject !== samples[b]!.subject);
  const words = new Uint32Array(2 * prints.count);
  for (const position of distinct) details.hash(position, words);
  const index = new HashIndex(words, distinct);
  const near = new Groups(prints.count);
  for (const [i, position] of distinct.entries()) {
    if (i % 256 === 0) {
      await nextTurn();
      signal?.throwIfAborted();
    }
    index.neighbours(position, (other) => {
      if (near.same(position, other) || details.likeness(position, other) < threshold) return;
      near.join(position, other);
    });
  }
  const exactGroups = exact.list();
  const nearGroups = near.list();
  const copiesOf = new Map(exactGroups.map((members) => [members[0]!, members]));
  const withCopies = nearGroups.map((members) =>
    members.flatMap((member) => copiesOf.get(member) ?? [member]).sort((a, b) => a - b),
  );
  return [
    ...exactGroups.map((members) => ({ kind: 'exact' as const, modality, members })),
    ...withCopies.map((members) => ({ kind: 'near' as const, modality, members })),
  ];
}

/** A union-find whose groups are named by their first member. */
class Groups {
  readonly #parents: Uint32Array;

  constructor(count: number) {
    this.#parents = Uint32Array.from({ length: count }, (_, i) => i);
  }

  same(a: number, b: number): boolean {
    return this.#root(a) === this.#root(b);
  }

  join(a: number, b: number): void {
    const [first, second] = [this.#root(a), this.#root(b)].sort((x, y) => x - y) as [number, number];
    this.#parents[second] = first;
  }

  /** Lists the groups of at least two, ordered by first member, with members ascending. */
  list(): number[][] {
    const groups = new Map<number, number[]>();
    for (let member = 0; member < this.#parents.length; member += 1) {
      const root = this.#root(member);
      if (root === member) continue;
      const group = groups.get(root);
      if (group === undefined) groups.set(root, [root, member]);
      else group.push(member);
    }
    return [...groups.values()].sort((a, b) => a[0]! - b[0]!);
  }

  #root(member: number): number {
    let root = member;
    while (this.#parents[root] !== root) {
      this.#parents[root] = this.#parents[this.#parents[root]!]!;
      root = this.#parents[root]!;
    }
    return root;
  }
}
