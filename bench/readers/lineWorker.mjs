import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * A process that answers each line on its stdin by one line on its stdout, in order. It is started anew after a crash,
 * and after a question that takes longer than `seconds`.
 */
export class LineWorker {
  #command;
  #seconds;
  #process;
  #waiting = [];
  /** What the process wrote to stderr since it was last asked for. */
  #said = '';

  constructor(command, seconds) {
    this.#command = command;
    this.#seconds = seconds;
  }

  /** Asks all questions at once; gives the parsed answers, or `{ crash }` or `{ hang }` in the place of one. */
  ask(questions) {
    return Promise.all(
      questions.map((question) => {
        const asked = { question };
        asked.answer = new Promise((resolve) => {
          asked.resolve = resolve;
        });
        this.#waiting.push(asked);
        this.#send(asked);
        return asked.answer;
      }),
    );
  }

  close() {
    const running = this.#process;
    this.#process = undefined;
    running?.kill('SIGKILL');
  }

  #send(asked) {
    if (this.#process === undefined) this.#start();
    this.#process.stdin.write(`${JSON.stringify(asked.question)}\n`);
    if (this.#waiting[0] === asked) this.#watch();
  }

  #start() {
    const [program, ...parameters] = this.#command;
    const running = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process = running;
    running.stdin.on('error', () => undefined); // the end of the process tells more
    running.stderr.on('data', (text) => {
      this.#said = `${this.#said}${text}`.slice(-2000);
    });
    createInterface({ input: running.stdout }).on('line', (line) => {
      if (running === this.#process) this.#settle(parsed(line));
    });
    running.on('close', (code, signal) => {
      if (running !== this.#process) return;
      this.#process = undefined;
      this.#end({ crash: `ended with ${signal ?? code}: ${this.#said.trim().slice(-500)}` });
    });
  }

  #watch() {
    clearTimeout(this.timer);
    if (this.#waiting.length === 0) return;
    this.timer = setTimeout(() => {
      this.close();
      this.#end({ hang: `no answer in ${this.#seconds} s` });
    }, 1000 * this.#seconds);
  }

  /** Gives an answer to the question that waits longest. */
  #settle(answer) {
    const { resolve } = this.#waiting.shift() ?? {};
    resolve?.(answer);
    this.#watch();
  }

  /** The process is gone: the question at work has this answer, and a new process gets the others. */
  #end(answer) {
    this.#said = '';
    this.#settle(answer);
    for (const asked of this.#waiting) this.#send(asked);
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return { crash: `wrote "${line.slice(0, 200)}" where an answer was expected` };
  }
}
