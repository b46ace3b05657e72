/** The layouts of a field's value; the numbers are the format's own. */
const wire = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/**
 * One protobuf message under construction (protobuf.dev/programming-guides/encoding). Fields are written in the order
 * of the calls. The caller knows the field numbers of the schema.
 *
 *   new Message().double(1, wallTime).int(2, step).message(5, summary).encode()
 *
 * Nested messages and byte strings are only referred to until `encode` copies them, so a network's weights pass through
 * once.
 */
export class Message {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /**
   * Writes an int32, int64, uint64, bool or enum: base-128 digits, lowest first; negatives as 64-bit two's complement.
   */
  int(field: number, value: number | bigint): this {
    return this.#tag(field, wire.varint).#append(varint(value));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#tag(field, wire.fixed32).#append(bytes);
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.#tag(field, wire.fixed64).#append(bytes);
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#tag(field, wire.lengthDelimited).#append(varint(value.length)).#append(value);
  }

  string(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value, 'utf8'));
  }

  message(field: number, value: Message): this {
    this.#tag(field, wire.lengthDelimited).#append(varint(value.#length));
    for (const part of value.#parts) this.#append(part);
    return this;
  }

  /** The number of bytes that `encode` gives. */
  get length(): number {
    return this.#length;
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #tag(field: number, wireType: number): this {
    return this.#append(varint(field * 8 + wireType));
  }

  #append(part: Uint8Array): this {
    this.#parts.push(part);
    this.#length += part.length;
    return this;
  }
}

function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const digits: number[] = [];
  while (rest > 127n) {
    digits.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  digits.push(Number(rest));
  return Uint8Array.from(digits);
}
