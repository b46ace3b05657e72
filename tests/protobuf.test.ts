import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Message } from '../src/protobuf.js';
import { readMessage } from './readMessage.js';

const hex = (message: Message) => Buffer.from(message.encode()).toString('hex');

describe('Message', () => {
  it('agrees with the examples of the format description', () => {
    expect(hex(new Message().int(1, 150))).toBe('089601');
    expect(hex(new Message().string(2, 'testing'))).toBe('120774657374696e67');
    expect(hex(new Message().message(3, new Message().int(1, 150)))).toBe('1a03089601');
    expect(hex(new Message().int(1, -2))).toBe('08feffffffffffffffff01');
    expect(hex(new Message())).toBe('');
  });

  it('is read back by another decoder', () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 29 - 1 }),
        int64,
        fc.double(),
        fc.float(),
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ unit: 'grapheme' }),
        (field, whole, double, float, bytes, text) => {
          const inner = new Message()
            .int(1, whole)
            .double(2, double)
            .float(3, float)
            .bytes(4, bytes)
            .string(5, text);
          const outer = readMessage(
            new Message()
              .message(field, inner)
              .int(field + 1, 7)
              .message(field, inner)
              .encode(),
          );
          expect([...outer.keys()]).toEqual([field, field + 1]);
          expect(outer.get(field + 1)).toEqual([7n]);
          for (const encoded of outer.get(field)!) {
            const fields = readMessage(encoded as Buffer);
            expect(fields.get(1)).toEqual([whole]);
            expect((fields.get(2)![0] as Buffer).readDoubleLE()).toBe(double);
            expect((fields.get(3)![0] as Buffer).readFloatLE()).toBe(float);
            expect(Buffer.compare(fields.get(4)![0] as Buffer, bytes)).toBe(0);
            expect(String(fields.get(5)![0])).toBe(Buffer.from(text).toString());
          }
        },
      ),
    );
  });
});
