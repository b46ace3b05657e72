/**
 * A protobuf message as it lies in the file: for each field number the values in order; the caller knows their types.
 */
export type Fields = Map<number, (bigint | Buffer)[]>;

/** A decoder written from the format's description, apart from `src/protobuf.ts`. Fixed-size values stay bytes. */
export function readMessage(bytes: Uint8Array): Fields {
  const buffer = Buffer.from(bytes);
  const fields: Fields = new Map();
  let at = 0;
  const take = (count: number): Buffer => {
    if (at + count > buffer.length) throw new Error(`a field ends at byte ${at + count} of ${buffer.length}`);
    at += count;
    return buffer.subarray(at - count, at);
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const digit = BigInt(take(1)[0]!);
      value += (digit % 128n) * 2n ** shift;
      if (digit < 128n) return BigInt.asIntN(64, value);
    }
    throw new Error('a varint is longer than ten bytes');
  };
  while (at < buffer.length) {
    const tag = Number(varint());
    const field = Math.floor(tag / 8);
    const readers = new Map<number, () => bigint | Buffer>([
      [0, varint],
      [1, () => take(8)],
      [2, () => take(Number(varint()))],
      [5, () => take(4)],
    ]);
    const read = readers.get(tag % 8);
    if (read === undefined || field === 0) throw new Error(`impossible tag ${tag}`);
    fields.set(field, [...(fields.get(field) ?? []), read()]);
  }
  return fields;
}
