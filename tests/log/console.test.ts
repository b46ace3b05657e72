import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessageConsole, type MessageConsoleOptions } from '../../src/log/console.js';
import { Capture } from './capture.js';

const escapeCode = '\u001b';

function say(options: MessageConsoleOptions, isTTY = false): string {
  const stream = new Capture(isTTY);
  const console = new MessageConsole({ environment: {}, ...options, stream });
  console.detail('a detail');
  console.info('some news');
  console.success('it worked');
  console.warn('take care');
  console.error('it broke');
  return stream.text;
}

describe('what is shown', () => {
  it('leaves out details, unless verbose', () => {
    const lines = 'some news\n✓ it worked\nwarning: take care\nerror: it broke\n';
    expect(say({})).toBe(lines);
    expect(say({ verbose: true })).toBe(`a detail\n${lines}`);
  });

  it('keeps to warnings and errors when quiet, also with verbose', () => {
    expect(say({ quiet: true })).toBe('warning: take care\nerror: it broke\n');
    expect(say({ quiet: true, verbose: true })).toBe('warning: take care\nerror: it broke\n');
  });
});

it('shows a warning once, and keeps each in the file', () => {
  const stream = new Capture(false);
  const folder = mkdtempSync(join(tmpdir(), 'console-'));
  const console = new MessageConsole({ environment: {}, stream });
  console.warn('3 of 12 samples');
  console.teeTo(join(folder, 'train.log'));
  console.warn('3 of 12 samples');
  console.warn('4 of 12 samples');
  console.close();
  expect(stream.text).toBe('warning: 3 of 12 samples\nwarning: 4 of 12 samples\n');
  expect(readFileSync(join(folder, 'train.log'), 'utf8').match(/of 12 samples/g)).toHaveLength(2);
  rmSync(folder, { recursive: true });
});

describe('names of other people’s making', () => {
  it('are shown and not obeyed, on the screen in colours and in the file', () => {
    const stream = new Capture(true);
    const folder = mkdtempSync(join(tmpdir(), 'console-'));
    const log = join(folder, 'train.log');
    const console = new MessageConsole({ environment: {}, stream, color: true });
    console.teeTo(log);
    for (const level of ['info', 'success', 'warn', 'error'] as const) {
      console[level](`subject \u001b]0;owned\u0007\rerror\u202e`);
    }
    console.close();
    const shown = 'subject \\x1b]0;owned\\x07\\x0derror\\u202e';
    expect(stream.text.split(shown)).toHaveLength(5);
    for (const obeyed of ['\u0007', '\r', '\u202e']) expect(stream.text).not.toContain(obeyed);
    console.warn('no sample p1\nerror: all is lost');
    expect(stream.text).toMatch(/no sample p1\n {2}error: all is lost\n$/);
    expect(stream.text).toContain('\u001b[31merror:');
    expect(readFileSync(log, 'utf8').split(shown)).toHaveLength(5);
    rmSync(folder, { recursive: true });
  });
});

describe('colours', () => {
  it.each([
    { isTTY: true, environment: {}, colored: true },
    { isTTY: false, environment: {}, colored: false },
    { isTTY: true, environment: { NO_COLOR: '1' }, colored: false },
    { isTTY: true, environment: { NO_COLOR: '' }, colored: true },
    { isTTY: false, environment: { FORCE_COLOR: '1' }, colored: true },
    { isTTY: true, environment: { FORCE_COLOR: '0' }, colored: false },
    { isTTY: true, environment: { NO_COLOR: '1', FORCE_COLOR: '1' }, colored: false },
    { isTTY: true, environment: { TERM: 'dumb' }, colored: false },
    { isTTY: true, environment: {}, color: false, colored: false },
    { isTTY: false, environment: { NO_COLOR: '1' }, color: true, colored: true },
  ])('%o', ({ isTTY, environment, color, colored }) => {
    expect(say({ environment, color }, isTTY).includes(escapeCode)).toBe(colored);
  });
});

describe('train.log', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'console-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('gets every level as plain text with times, whatever is shown, and is appended to', () => {
    const path = join(folder, 'train.log');
    const clock = () => new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
    for (const quiet of [true, false]) {
      const console = new MessageConsole({ quiet, color: true, stream: new Capture(true), clock });
      console.info('before the run folder is known');
      console.teeTo(path, { redact: (text) => text.replaceAll('/home/me', '~') });
      console.detail(`${escapeCode}[31mred${escapeCode}[39m`);
      console.warn('two\nlines in /home/me/data');
      console.close();
      console.info('after');
    }
    const once = [
      '2026-01-02T03:04:05.678Z detail  \\x1b[31mred\\x1b[39m',
      '2026-01-02T03:04:05.678Z warn    two',
      '2026-01-02T03:04:05.678Z warn    lines in ~/data',
    ];
    expect(readFileSync(path, 'utf8')).toBe([...once, ...once, ''].join('\n'));
  });
});

it('asks a live line to step aside for what is shown only', () => {
  const stream = new Capture(true);
  const console = new MessageConsole({ color: false, stream });
  console.setLiveLine({ hide: () => stream.write('<'), show: () => stream.write('>') });
  console.detail('unseen');
  console.info('seen');
  console.setLiveLine(undefined);
  console.info('alone');
  expect(stream.text).toBe('<seen\n>alone\n');
});
