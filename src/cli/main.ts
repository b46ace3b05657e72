#!/usr/bin/env node
import { CommanderError } from 'commander';
import { AnatomyError } from '../errors.js';
import { visible } from '../text/visible.js';
import { anatomyProgram } from './program.js';

/** The exit codes: 0 ok · 1 failed · 2 usage or config · 3 bad data · 4 LibTorch missing · 129/130/143 interrupted. */
const program = anatomyProgram();

// The reader of `anatomy …
// head` closes our output early, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// A terminal that is closed, or a reader that has gone, takes no more messages. The work goes on, or saves first.
process.stderr.on('error', () => undefined);

// A child of `anatomy experiment` saves and ends when its parent is gone. If it went on, it would spoil the run that
// the next one resumes.
if (process.connected) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
  if (error instanceof CommanderError) {
    if (error.code === 'commander.unknownOption') await tellSetting(error.message);
  } else {
    const { message, stack } = error as Error;
    const known = error instanceof AnatomyError && !program.opts().verbose;
    console.error(visible(known || !program.opts().verbose ? `error: ${message}` : stack!));
  }
}

function exitCodeOf(error: unknown): number {
  // Commander throws for --help and --version too, with exit code 0; its 1 is a usage error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof AnatomyError ? error.exitCode : 1;
}

/** A setting without a flag of its own is asked for as one, as other programs have it: says how it is set here. */
async function tellSetting(message: string): Promise<void> {
  const { settingFor } = await import('./options/settingFor.js');
  const setting = settingFor(program, process.argv.slice(2), message);
  if (setting !== undefined) console.error(visible(`(did you mean ${setting}?)`));
}
