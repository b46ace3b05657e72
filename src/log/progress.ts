/** The progress of a run on the terminal. */
import cliProgress from 'cli-progress';
import type { MessageConsole } from './console.js';

/** The values that a step can report; those left out are not shown. */
export interface ProgressFields {
  loss?: number;
  /** The parts of the loss by name. */
  terms?: Readonly<Record<string, number>>;
  learningRate?: number;
  pairsPerSecond?: number;
  memoryBytes?: number;
}

export interface ProgressOptions {
  /** A word for the work, with which the lines begin. Default `training`. */
  title?: string;
  /** The number of steps that a resumed run has done before. */
  start?: number;
  /** The least number of seconds between two lines, where there is no terminal. */
  everySeconds?: number;
  /** Gives the time in milliseconds. Default: since the process began, as the time of day may be set back. */
  clock?: () => number;
}

/**
 * Shows progress over `total` steps: on a terminal as one line redrawn in place, elsewhere as a plain line now and
 * then. Call `stop()` at the end, also when the work fails, as until then a timer of the bar keeps the process alive.
 */
export class Progress {
  readonly #title: string;
  readonly #total: number;
  readonly #console: MessageConsole;
  readonly #everyMs: number;
  readonly #clock: () => number;
  readonly #startedAt: number;
  /** The latest steps with the times at which they ended. Their pace gives the time left. */
  #marks: { step: number; at: number }[];
  #updated = false;
  #fields: ProgressFields = {};
  #lineDueAt: number;
  #bar: cliProgress.SingleBar | undefined;
  #stopped = false;

  constructor(total: number, console: MessageConsole, options: ProgressOptions = {}) {
    const { title = 'training', start = 0, everySeconds = 15, clock = () => performance.now() } = options;
    this.#title = title;
    this.#total = total;
    this.#console = console;
    this.#everyMs = everySeconds * 1000;
    this.#clock = clock;
    this.#startedAt = clock();
    this.#lineDueAt = this.#startedAt; // the first step shows at once that something happens
    this.#marks = [{ step: start, at: this.#startedAt }];
    if (console.interactive && !console.quiet) this.#bar = this.#openBar();
  }

  /** Reports that `step` steps are done, counted over the whole run. */
  update(step: number, fields: ProgressFields = {}): void {
    if (this.#stopped) return;
    this.#fields = fields;
    // The first step also opens files, starts workers and claims memory, so its pace says little of the others.
    if (!this.#updated) this.#marks = [];
    this.#updated = true;
    this.#marks.push({ step, at: this.#clock() });
    if (this.#marks.length > 64) this.#marks.shift();
    if (this.#bar !== undefined) this.#bar.update(step);
    else if (this.#clock() >= this.#lineDueAt) {
      this.#console.info(this.#line());
      this.#lineDueAt = this.#clock() + this.#everyMs;
    }
  }

  /**
   * Removes the bar and leaves one line that says how far it came and how long that took. Without steps it says
   * nothing.
   */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#bar?.stop();
    this.#console.setLiveLine(undefined);
    if (this.#total === 0) return;
    const took = formatDuration((this.#clock() - this.#startedAt) / 1000);
    this.#console.info([this.#count(), ...describe(this.#fields), `took ${took}`].join(' · '));
  }

  #openBar(): cliProgress.SingleBar {
    const bar = new cliProgress.SingleBar({
      stream: this.#console.stream,
      format: (_options, { progress }) => {
        const done = Math.round(progress * 20);
        return `[${'='.repeat(done)}${' '.repeat(20 - done)}] ${this.#line()}`;
      },
      clearOnComplete: true,
      forceRedraw: true,
      linewrap: true, // trims to the terminal's width; otherwise a killed run would leave line wrapping off
      gracefulExit: false, // signals belong to the training loop, which saves first
    });
    const show = () => bar.start(this.#total, this.#step());
    show();
    // The bar is stopped and started anew around a message, as it restores the cursor to the row where it was started.
    this.#console.setLiveLine({ hide: () => bar.stop(), show });
    return bar;
  }

  #step(): number {
    return this.#marks.at(-1)!.step;
  }

  #count(): string {
    return `${this.#title} ${this.#step()}/${this.#total}`;
  }

  /** Writes the line. The time left stands early, as a narrow terminal cuts the line. */
  #line(): string {
    return [this.#count(), `ETA ${formatDuration(this.#secondsLeft())}`, ...describe(this.#fields)].join(
      ' · ',
    );
  }

  #secondsLeft(): number {
    const first = this.#marks[0]!;
    const last = this.#marks.at(-1)!;
    const steps = last.step - first.step;
    return steps > 0 ? ((this.#total - last.step) * (last.at - first.at)) / steps / 1000 : Number.NaN;
  }
}

/** Writes a duration: `42s`, `3m 05s`, `2h 07m`, `4d 03h`; `--` when unknown. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '--';
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const [large, small, units] =
    whole < 3600
      ? [whole / 60, whole % 60, 'ms']
      : whole < 86400
        ? [whole / 3600, (whole % 3600) / 60, 'hm']
        : [whole / 86400, (whole % 86400) / 3600, 'dh'];
  return `${Math.floor(large)}${units[0]} ${String(Math.floor(small)).padStart(2, '0')}${units[1]}`;
}

function describe({ loss, terms = {}, learningRate, pairsPerSecond, memoryBytes }: ProgressFields): string[] {
  const parts: string[] = [];
  if (loss !== undefined) parts.push(`loss ${formatNumber(loss)}`);
  for (const [name, value] of Object.entries(terms)) parts.push(`${name} ${formatNumber(value)}`);
  if (learningRate !== undefined) parts.push(`lr ${formatNumber(learningRate)}`);
  if (pairsPerSecond !== undefined) parts.push(`${formatNumber(pairsPerSecond, 3)} pairs/s`);
  if (memoryBytes !== undefined) parts.push(`${(memoryBytes / 2 ** 30).toFixed(1)} GiB`);
  return parts;
}

/** Writes four significant digits, which suits a loss of 60 and one of 0.005. */
function formatNumber(value: number, digits = 4): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : String(value);
}
