/**
 * The room `log` holds what a run tells people and tools: messages, progress, JSON lines, TensorBoard events. This file
 * prints the messages.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import picocolors from 'picocolors';
import { namingFile } from '../files.js';
import { visible } from '../text/visible.js';

/** The destination of messages: standard error, or a stand-in. */
export type TextStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * Something that is drawn on the terminal's last line, such as a progress bar. It must step aside while a message is
 * printed.
 */
export interface LiveLine {
  hide(): void;
  show(): void;
}

export interface MessageConsoleOptions {
  /** Shows only warnings and errors. It wins over `verbose`. */
  quiet?: boolean;
  /** Shows details as well. */
  verbose?: boolean;
  /**
   * Forces colours on or off (`--no-color`). Where it is left out, `NO_COLOR`, `FORCE_COLOR` and the terminal decide.
   */
  color?: boolean;
  stream?: TextStream;
  environment?: Readonly<Record<string, string | undefined>>;
  clock?: () => Date;
}

export interface TeeOptions {
  /** Takes out folders, names, … from each text for the file, which may be shared. */
  redact?: (text: string) => string;
}

type Level = 'detail' | 'info' | 'success' | 'warn' | 'error';

/**
 * Messages for people, on standard error, as standard output is for data. `teeTo` also appends them to a run's
 * `train.log`, as plain text with a time stamp. The file gets all levels, whatever the screen shows.
 */
export class MessageConsole {
  readonly stream: TextStream;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Whether a line can be redrawn in place. */
  readonly interactive: boolean;
  readonly #colors: ReturnType<typeof picocolors.createColors>;
  readonly #clock: () => Date;
  #log: { path: string; file: number; redact: (text: string) => string } | undefined;
  #liveLine: LiveLine | undefined;
  /** The warnings that the screen has shown. */
  readonly #told = new Set<string>();

  constructor(options: MessageConsoleOptions = {}) {
    const { stream = process.stderr, environment = process.env, clock = () => new Date() } = options;
    this.stream = stream;
    this.quiet = options.quiet ?? false;
    this.verbose = (options.verbose ?? false) && !this.quiet;
    this.interactive = stream.isTTY === true && environment.TERM !== 'dumb';
    this.#colors = picocolors.createColors(options.color ?? wantsColor(this.interactive, environment));
    this.#clock = clock;
  }

  /** Prints a message that is shown with `--verbose` only. */
  detail(text: string): void {
    this.#say('detail', text, this.verbose, (words) => this.#colors.dim(words));
  }

  info(text: string): void {
    this.#say('info', text, !this.quiet, (words) => words);
  }

  success(text: string): void {
    this.#say('success', text, !this.quiet, (words) => `${this.#colors.green('✓')} ${words}`);
  }

  warn(text: string): void {
    // Data that are opened twice have the same faults, and once is enough on the screen.
    const told = this.#told.has(text);
    this.#told.add(text);
    this.#say('warn', text, !told, (words) => `${this.#colors.yellow('warning:')} ${words}`);
  }

  error(text: string): void {
    this.#say('error', text, true, (words) => `${this.#colors.red('error:')} ${words}`);
  }

  /** Also appends every further message to this file. */
  teeTo(path: string, { redact = (text) => text }: TeeOptions = {}): void {
    this.close();
    this.#log = { path, file: namingFile(path, () => openSync(path, 'a')), redact };
  }

  /** Closes the file. Messages still go to the screen. */
  close(): void {
    if (this.#log !== undefined) closeSync(this.#log.file);
    this.#log = undefined;
  }

  /** Sets the line that messages step aside for; `undefined` ends that. */
  setLiveLine(line: LiveLine | undefined): void {
    this.#liveLine = line;
  }

  /**
   * Writes a message to the file only. It is for errors that somebody else shows; a full disk must not hide them, so
   * nothing is thrown.
   */
  note(level: Level, text: string): void {
    try {
      this.#write(level, visible(text));
    } catch {
      // The error itself is what the user needs to see.
    }
  }

  /** All words that a run says pass here. Names in them are other people's, and no terminal shall obey them. */
  #say(level: Level, text: string, shown: boolean, style: (words: string) => string): void {
    const words = visible(text);
    if (shown) {
      this.#liveLine?.hide();
      // A line break in a name begins no message of its own.
      this.stream.write(`${style(words.replace(/\n(?=\S)/g, '\n  '))}\n`);
      this.#liveLine?.show();
    }
    this.#write(level, words);
  }

  #write(level: Level, text: string): void {
    if (this.#log === undefined) return;
    const { path, file, redact } = this.#log;
    const prefix = `${this.#clock().toISOString()} ${level.padEnd(7)} `;
    const lines = redact(text).split('\n');
    namingFile(path, () => writeFileSync(file, lines.map((line) => `${prefix}${line}\n`).join('')));
  }
}

/**
 * Decides on colours: first by no-color.org, then by FORCE_COLOR as Node reads it, then by whether the stream is a
 * terminal. An empty variable counts as unset.
 */
function wantsColor(
  interactive: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (environment.NO_COLOR) return false;
  const { FORCE_COLOR: forced } = environment;
  return forced ? forced !== '0' && forced !== 'false' : interactive;
}
