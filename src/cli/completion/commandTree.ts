/** What a shell may complete, read from the commands themselves: their names, flags and the values of flags. */
import type { Command, Option } from 'commander';

export interface Completed {
  /** The words that lead to the command, after `anatomy`; empty for `anatomy` itself. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly flags: readonly Flag[];
  /** What the first argument may be; empty where it is a file, or there is none. */
  readonly words: readonly string[];
}

export interface Word {
  readonly name: string;
  readonly about: string;
}

export interface Flag extends Word {
  readonly takesValue: boolean;
  /** The values that it may have; empty where these are files, numbers or words of the user's own. */
  readonly values: readonly string[];
}

/** Lists a command and all below it. */
export function completedCommands(command: Command, path = ''): Completed[] {
  const commands = command.commands.map((one) => ({ name: one.name(), about: one.description() }));
  const own = {
    path,
    commands,
    flags: [
      ...command.options.map(flagOf),
      { name: '--help', about: 'show help', takesValue: false, values: [] },
    ],
    words: command.registeredArguments[0]?.argChoices ?? [],
  };
  const below = command.commands.flatMap((one) => completedCommands(one, `${path} ${one.name()}`.trim()));
  return [own, ...below];
}

function flagOf({ long, short, description, required, optional, argChoices }: Option): Flag {
  const takesValue = required || optional;
  const values = takesValue ? (argChoices ?? listed(description)) : [];
  return { name: long ?? short!, about: description, takesValue, values };
}

/** Reads the values where a description lists them and says no more, as in `pooled, head or maps (default: pooled)`. */
function listed(description: string): string[] {
  const list = /^(?:[\w ]+: )?((?:[\w:-]+, )*[\w:-]+ or [\w:-]+)(?= \(|$)/.exec(description)?.[1];
  return list?.split(/, | or /) ?? [];
}
