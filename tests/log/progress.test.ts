import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { MessageConsole } from '../../src/log/console.js';
import { formatDuration, Progress } from '../../src/log/progress.js';
import { Capture } from './capture.js';

const escapeCode = '\u001b';

interface StartOptions {
  quiet?: boolean;
  columns?: number;
  title?: string;
  start?: number;
}

function started(isTTY: boolean, { quiet = false, columns = 200, title, start = 0 }: StartOptions = {}) {
  const stream = new Capture(isTTY, columns);
  const time = { now: 0 };
  const console = new MessageConsole({ stream, quiet, color: false, environment: {} });
  const progress = new Progress(100, console, { title, start, clock: () => time.now });
  return { stream, console, progress, time };
}

describe('away from a terminal', () => {
  it('writes a plain line at once, then every 15 seconds, then at the end', () => {
    const { stream, progress, time } = started(false);
    for (let step = 1; step <= 40; step += 1) {
      time.now += 1000;
      progress.update(step, { loss: 12.34567, terms: { global: 4.1, consistency: 0.00512345 } });
    }
    progress.stop();
    progress.stop();
    progress.update(41);
    const terms = 'loss 12.35 · global 4.1 · consistency 0.005123';
    expect(stream.text.split('\n')).toEqual([
      `training 1/100 · ETA -- · ${terms}`,
      `training 16/100 · ETA 1m 24s · ${terms}`,
      `training 31/100 · ETA 1m 09s · ${terms}`,
      `training 40/100 · ${terms} · took 40s`,
      '',
    ]);
  });

  it('shows rate, learning rate, memory and what is not finite', () => {
    const { stream, progress } = started(false);
    const fields = {
      loss: Number.NaN,
      learningRate: 3e-5,
      pairsPerSecond: 123.456,
      memoryBytes: 1.5 * 2 ** 30,
    };
    progress.update(1, fields);
    expect(stream.text).toBe('training 1/100 · ETA -- · loss NaN · lr 0.00003 · 123 pairs/s · 1.5 GiB\n');
  });

  it('estimates from the steps of this process when a run is resumed', () => {
    const { stream, progress, time } = started(false, { start: 90 });
    time.now = 20_000;
    progress.update(92);
    time.now = 40_000;
    progress.update(96);
    expect(stream.text).toBe('training 92/100 · ETA --\ntraining 96/100 · ETA 20s\n');
  });

  it('leaves the first step out of the estimate, as it takes longer than the others', () => {
    const { stream, progress, time } = started(false);
    time.now = 60_000;
    progress.update(1);
    time.now = 76_000;
    progress.update(17);
    expect(stream.text).toBe('training 1/100 · ETA --\ntraining 17/100 · ETA 1m 23s\n');
  });

  it.each([false, true])('begins with what is being done; on a terminal: %s', (isTTY) => {
    const { stream, progress } = started(isTTY, { title: 'decoding' });
    progress.update(3);
    progress.stop();
    const text = stripVTControlCharacters(stream.text);
    expect(text).toContain('decoding 3/100 · ETA --');
    expect(text).toContain('decoding 3/100 · took 0s\n');
    expect(text).not.toContain('training');
  });

  it('says that no step was done', () => {
    const { stream, progress } = started(false);
    progress.stop();
    expect(stream.text).toBe('training 0/100 · took 0s\n');
  });
});

describe('on a terminal', () => {
  it('redraws one line, steps aside for messages and leaves a closing line', () => {
    const { stream, console, progress, time } = started(true);
    time.now = 200;
    progress.update(5, { loss: 3 });
    time.now = 1000;
    progress.update(25, { loss: 2 });
    console.info('checkpoint saved');
    progress.stop();
    const rows = screen(stream.text);
    expect(rows).toEqual(['checkpoint saved', 'training 25/100 · loss 2 · took 1s', '']);
    expect(stripVTControlCharacters(stream.text)).toContain(
      '[=====               ] training 25/100 · ETA 3s · loss 2',
    );
  });

  it('never exceeds the width of the terminal', () => {
    const { stream, progress } = started(true, { columns: 40 });
    progress.update(50, { loss: 1, terms: { a: 1, b: 2, c: 3 } });
    const drawn = stripVTControlCharacters(stream.text).split('[').slice(1);
    progress.stop();
    expect(drawn.length).toBeGreaterThan(0);
    for (const line of drawn) expect(line.length + 1).toBeLessThanOrEqual(40);
  });

  it('is silent when quiet', () => {
    const { stream, progress } = started(true, { quiet: true });
    progress.update(1);
    progress.stop();
    expect(stream.text).toBe('');
  });
});

it('sends no control codes to what is no terminal', () => {
  const { stream, console, progress } = started(false);
  progress.update(1);
  console.info('a message');
  progress.stop();
  expect(stream.text).not.toContain(escapeCode);
  expect(stream.text).not.toContain('\r');
});

it.each([
  [0, '0s'],
  [59.4, '59s'],
  [59.6, '1m 00s'],
  [185, '3m 05s'],
  [3599.9, '1h 00m'],
  [7620, '2h 07m'],
  [356400, '4d 03h'],
  [Number.NaN, '--'],
  [Number.POSITIVE_INFINITY, '--'],
  [-1, '--'],
])('formats %d s as %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

/** The rows a terminal would show, for the few control sequences a progress bar uses. */
function screen(text: string): string[] {
  const rows = [''];
  let column = 0;
  let row = 0;
  let saved = { row, column };
  const token = new RegExp(`${escapeCode}(?:\\[([?\\d;]*)([A-Za-z])|([78]))|\n|[^${escapeCode}\n]+`, 'g');
  for (const [all, argument, command, cursor] of text.matchAll(token)) {
    const current = rows[row]!;
    if (all === '\n') {
      row += 1;
      column = 0;
      if (row === rows.length) rows.push('');
    } else if (cursor === '7') saved = { row, column };
    else if (cursor === '8') ({ row, column } = saved);
    else if (command === 'G') column = Number(argument) - 1;
    else if (command === 'K') rows[row] = argument === '2' ? '' : current.slice(0, column);
    else if (command === undefined) {
      rows[row] = current.slice(0, column).padEnd(column) + all + current.slice(column + all.length);
      column += all.length;
    } else throw new Error(`unexpected control sequence ${JSON.stringify(all)}`);
  }
  return rows;
}
