/** The number of chunks of the hash that are looked up, and the bits of each. */
const CHUNKS = 4;
const CHUNK_BITS = 16;
/** The most bits in which hashes of the same picture differ. */
const MOST_BITS = 16;

/**
 * Searches 64-bit hashes by several indices (Norouzi, Punjani & Fleet 2012). Two hashes within 7 bits of each other
 * agree in one of four 16-bit chunks up to one bit. Looking up each chunk and its 16 neighbours finds all of those,
 * and most that differ a little more, without comparing all with all.
 */
export class HashIndex {
  readonly #words: Uint32Array;
  /** For each chunk, the positions sorted by its code, and where each code begins. */
  readonly #sorted: Uint32Array[] = [];
  readonly #begins: Uint32Array[] = [];

  /**
   * @param words all hashes, two words for each
   * @param members the numbers of the hashes to index
   */
  constructor(words: Uint32Array, members: Uint32Array) {
    this.#words = words;
    for (let chunk = 0; chunk < CHUNKS; chunk += 1) {
      const begins = new Uint32Array(2 ** CHUNK_BITS + 1);
      for (const member of members) begins[this.#code(member, chunk) + 1]! += 1;
      for (let code = 0; code < 2 ** CHUNK_BITS; code += 1) begins[code + 1]! += begins[code]!;
      const next = begins.slice();
      const sorted = new Uint32Array(members.length);
      for (const member of members) {
        const code = this.#code(member, chunk);
        sorted[next[code]!] = member;
        next[code]! += 1;
      }
      this.#sorted.push(sorted);
      this.#begins.push(begins);
    }
  }

  /** Calls `visit` once for each member above `member` whose hash is close. */
  neighbours(member: number, visit: (other: number) => void): void {
    for (let chunk = 0; chunk < CHUNKS; chunk += 1) {
      const code = this.#code(member, chunk);
      const sorted = this.#sorted[chunk]!;
      const begins = this.#begins[chunk]!;
      for (let bit = -1; bit < CHUNK_BITS; bit += 1) {
        const wanted = bit < 0 ? code : code ^ (1 << bit);
        for (let at = begins[wanted]!; at < begins[wanted + 1]!; at += 1) {
          const other = sorted[at]!;
          if (other > member && this.#close(member, other, chunk)) visit(other);
        }
      }
    }
  }

  /** Tells whether the hashes are close and no earlier chunk has found them. */
  #close(member: number, other: number, chunk: number): boolean {
    const low = (this.#words[2 * member]! ^ this.#words[2 * other]!) >>> 0;
    const high = (this.#words[2 * member + 1]! ^ this.#words[2 * other + 1]!) >>> 0;
    if (ones(low) + ones(high) > MOST_BITS) return false;
    for (let earlier = 0; earlier < chunk; earlier += 1) {
      const word = earlier < 2 ? low : high;
      if (ones((word >>> ((earlier & 1) * CHUNK_BITS)) & 0xffff) <= 1) return false;
    }
    return true;
  }

  #code(member: number, chunk: number): number {
    return (this.#words[2 * member + (chunk >> 1)]! >>> ((chunk & 1) * CHUNK_BITS)) & 0xffff;
  }
}

function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
