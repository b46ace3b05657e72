import type { Command } from 'commander';
import { MessageConsole } from '../log/console.js';

/** The console for messages to people, as loud as the program's --quiet and --verbose ask for. */
export function consoleOf(program: Command): MessageConsole {
  const { quiet, verbose } = program.opts<{ quiet?: boolean; verbose?: boolean }>();
  return new MessageConsole({ quiet, verbose });
}
