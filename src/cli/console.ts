import type { Command } from 'commander';
import { MessageConsole } from '../log/console.js';

/** Messages for people, as loud as the program's --quiet and --verbose say. */
export function consoleOf(program: Command): MessageConsole {
  const { quiet, verbose } = program.opts<{ quiet?: boolean; verbose?: boolean }>();
  return new MessageConsole({ quiet, verbose });
}
