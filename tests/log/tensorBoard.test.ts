import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventWriter } from '../../src/log/tensorBoard.js';
import { type Fields, readMessage } from '../readMessage.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorBoard-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock = () => 1700000000.5;

describe('EventWriter', () => {
  it('writes the bytes that Python writes', () => {
    // Made with google.protobuf 4.21.12 from the field numbers of TensorFlow's event.proto, and CRC-32C of crcmod 1.7.
    const golden = [
      '1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110',
      '100000000000000095fbfe180900002040fc54d94110ad023a020801596f3f79',
      '4800000000000000fe92489d0900002040fc54d94110ad022a3a0a110a0a6c6f73732f746f74616c15000050400a170a106c6f',
      '73732f636f6e73697374656e637915000000000a0c0a056772c3bc6e15000080ffa5d98269',
    ];
    const writer = new EventWriter(folder, { resumedFrom: 300, clock });
    const values = { 'loss/total': 3.25, 'loss/consistency': 0, grün: Number.NEGATIVE_INFINITY };
    writer.scalars(301, values);
    writer.close();
    expect(readFileSync(writer.path).toString('hex')).toBe(golden.join(''));
  });

  it('hands every event over at once and keeps the order', () => {
    const writer = new EventWriter(folder);
    for (let step = 1; step <= 3; step += 1) {
      writer.scalars(step, { loss: step / 2 });
      writer.sync();
      const events = readEvents(writer.path).slice(2);
      expect(events.map((event) => event.get(2))).toEqual(
        Array.from({ length: step }, (_, i) => [BigInt(i + 1)]),
      );
      const [value] = readMessage(events.at(-1)!.get(5)![0] as Buffer).get(1)!;
      expect((readMessage(value as Buffer).get(2)![0] as Buffer).readFloatLE()).toBe(step / 2);
    }
    writer.close();
  });

  it('names files without the host, so that a resumed run sorts last even if the clock went back', () => {
    const names = [1700000000, 1700000000.9, 1600000000].map((now, index) => {
      const writer = new EventWriter(folder, { clock: () => now, resumedFrom: index });
      writer.close();
      return basename(writer.path);
    });
    expect(names).toEqual([
      'events.out.tfevents.1700000000.anatomy',
      'events.out.tfevents.1700000001.anatomy',
      'events.out.tfevents.1700000002.anatomy',
    ]);
    expect(readdirSync(folder).sort()).toEqual(names);
    for (const name of names) expect(readFileSync(join(folder, name), 'latin1')).not.toContain(hostname());
  });

  it('makes TensorBoard forget the steps after the checkpoint', () => {
    const first = new EventWriter(folder, { clock });
    for (let step = 0; step < 10; step += 1) first.scalars(step, { loss: 1 });
    first.close();
    writeFileSync(first.path, readFileSync(first.path).subarray(0, -5)); // killed while it wrote step 9
    const second = new EventWriter(folder, { clock, resumedFrom: 4 });
    for (let step = 5; step < 8; step += 1) second.scalars(step, { loss: 2 });
    second.close();
    expect(curve('loss')).toEqual([
      ...[0, 1, 2, 3, 4].map((step) => [step, 1]),
      ...[5, 6, 7].map((step) => [step, 2]),
    ]);
  });
});

/** A scalar's points as TensorBoard's event accumulator gathers them, the rule for START events included. */
function curve(tag: string): [step: number, value: number][] {
  let points: [number, number][] = [];
  let started = false;
  for (const name of readdirSync(folder).sort()) {
    for (const event of readEvents(join(folder, name))) {
      const step = Number(event.get(2)?.[0] ?? 0n);
      const session = event.get(7)?.[0] as Buffer | undefined;
      if (session !== undefined && readMessage(session).get(1)?.[0] === 1n) {
        if (started) points = points.filter(([earlier]) => earlier < step);
        started = true;
      }
      const summary = event.get(5)?.[0] as Buffer | undefined;
      for (const value of summary === undefined ? [] : readMessage(summary).get(1)!) {
        const fields = readMessage(value as Buffer);
        if (String(fields.get(1)![0]) === tag)
          points.push([step, (fields.get(2)![0] as Buffer).readFloatLE()]);
      }
    }
  }
  return points;
}

/** The whole records of an event file; a torn one at the end is left out. */
function readEvents(path: string): Fields[] {
  const bytes = readFileSync(path);
  const events: Fields[] = [];
  let at = 0;
  while (at + 12 <= bytes.length) {
    const length = Number(bytes.readBigUInt64LE(at));
    if (at + length + 16 > bytes.length) break;
    expect(bytes.readUInt32LE(at + 8)).toBe(maskedCrc(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(maskedCrc(data));
    events.push(readMessage(data));
    at += length + 16;
  }
  return events;
}

/** By long division, bit for bit, in place of the writer's table. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 2n ** 32n - 1n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = crc % 2n === 1n ? (crc / 2n) ^ 0x82f63b78n : crc / 2n;
  }
  crc ^= 2n ** 32n - 1n;
  return Number(
    (crc / 2n ** 15n + crc * 2n ** 17n - (crc / 2n ** 15n) * 2n ** 32n + 0xa282ead8n) % 2n ** 32n,
  );
}
