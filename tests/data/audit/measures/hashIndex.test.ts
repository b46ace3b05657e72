import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HashIndex } from '../../../../src/data/audit/measures/hashIndex.js';
import { Random } from '../../../../src/tensor/random.js';

/** Bits in which two hashes differ, counted one by one. */
function distance(words: Uint32Array, a: number, b: number): number {
  let bits = 0;
  for (let bit = 0; bit < 64; bit += 1) {
    const of = (member: number) => (words[2 * member + (bit >> 5)]! >>> (bit & 31)) & 1;
    bits += of(a) ^ of(b);
  }
  return bits;
}

it('the index finds every pair within 7 bits once, and none beyond 16', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0 }), fc.integer({ min: 2, max: 40 }), (seed, count) => {
      const random = new Random(seed, 'hashes');
      const words = Uint32Array.from({ length: 2 * count }, () => random.uint32());
      // Relatives of the first hash, a few bits off, or there would be nothing to find.
      for (let member = 1; member < count; member += 2) {
        words.copyWithin(2 * member, 0, 2);
        for (let flips = random.below(12); flips > 0; flips -= 1)
          words[2 * member + random.below(2)]! ^= 1 << random.below(32);
      }
      const index = new HashIndex(
        words,
        Uint32Array.from({ length: count }, (_, i) => i),
      );
      for (let member = 0; member < count; member += 1) {
        const found: number[] = [];
        index.neighbours(member, (other) => found.push(other));
        expect(new Set(found).size).toBe(found.length);
        for (const other of found) expect(distance(words, member, other)).toBeLessThanOrEqual(16);
        for (let other = member + 1; other < count; other += 1) {
          if (distance(words, member, other) <= 7) expect(found).toContain(other);
        }
      }
    }),
    { numRuns: 60 },
  );
});
