import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { namingFile } from '../files.js';
import { Message } from '../protobuf.js';
import { visible } from '../text/visible.js';

export interface EventWriterOptions {
  /**
   * The step of the checkpoint that a run resumes from. Points of earlier files at later steps disappear from
   * TensorBoard.
   */
  resumedFrom?: number;
  /** Gives the seconds since 1970, which stand in every event and in the file's name. */
  clock?: () => number;
}

/**
 * Writes one TensorBoard event file (`events.out.tfevents.<seconds>.anatomy`; no host name) into a run folder.
 *
 * A file is a sequence of records: length u64 · masked CRC32C of the length · event · masked CRC32C of the event, where
 * an event is a protobuf message of TensorFlow's event.proto. Each record is handed to the operating system as it is
 * written, so a crash loses none and tears at most the last one, which TensorBoard skips.
 *
 * Every file opens with a session START event, also a fresh run's: TensorBoard takes a run's first START for its
 * beginning and every further one for a restart, at which it drops the points at or after that event's step.
 */
export class EventWriter {
  readonly path: string;
  readonly #file: number;
  readonly #clock: () => number;

  constructor(folder: string, { resumedFrom, clock = () => Date.now() / 1000 }: EventWriterOptions = {}) {
    this.#clock = clock;
    mkdirSync(folder, { recursive: true });
    this.path = join(folder, nextFileName(folder, clock()));
    this.#file = namingFile(this.path, () => openSync(this.path, 'ax'));
    this.#write(this.#event(0).string(3, 'brain.Event:2'));
    const firstStep = resumedFrom === undefined ? 0 : resumedFrom + 1;
    const start = 1;
    this.#write(this.#event(firstStep).message(7, new Message().int(1, start)));
  }

  /**
   * Adds one point to each named curve, as in `{ 'loss/total': 3.2 }`. Slashes group curves. NaN and infinities are
   * kept.
   */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    const summary = new Message();
    for (const [tag, value] of Object.entries(values)) {
      summary.message(1, new Message().string(1, visible(tag)).float(2, value));
    }
    this.#write(this.#event(step).message(5, summary));
  }

  /** Waits until everything written is on the disk. Call it before a checkpoint of the same step is saved. */
  sync(): void {
    namingFile(this.path, () => fsyncSync(this.#file));
  }

  close(): void {
    closeSync(this.#file);
  }

  #event(step: number): Message {
    const event = new Message().double(1, this.#clock());
    return step === 0 ? event : event.int(2, step); // proto3 leaves zero out
  }

  #write(event: Message): void {
    const data = event.encode();
    const record = Buffer.alloc(data.length + 16);
    record.writeBigUInt64LE(BigInt(data.length), 0);
    record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
    record.set(data, 12);
    record.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
    namingFile(this.path, () => writeFileSync(this.#file, record));
  }
}

/**
 * Names the next file. TensorBoard reads a folder's files by name, so a resumed run's file must sort after the others
 * whatever the clock says.
 */
function nextFileName(folder: string, now: number): string {
  let seconds = Math.floor(now);
  for (const name of readdirSync(folder)) {
    const earlier = /^events\.out\.tfevents\.(\d{10})\./.exec(name)?.[1];
    if (earlier !== undefined) seconds = Math.max(seconds, Number(earlier) + 1);
  }
  return `events.out.tfevents.${String(seconds).padStart(10, '0')}.anatomy`;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/**
 * The CRC-32C (Castagnoli), rotated and shifted as TFRecord files want it, so that a CRC of data with CRCs inside stays
 * good.
 */
function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
