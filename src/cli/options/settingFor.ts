import type { Command } from 'commander';
import { settingNamed } from '../../config/index.js';
import { shellWords } from '../../text/shell.js';
import { commandOf } from '../program.js';

/**
 * Finds the setting that an unknown flag stands for, such as `--set training.batchSize=32` for `--batch-size 32`.
 * Gives undefined where there is none, or where the command takes no settings.
 *
 * @param words the command line, after the program
 * @param message commander's, which names the flag
 */
export function settingFor(program: Command, words: readonly string[], message: string): string | undefined {
  const [, flag, inside] = /unknown option '(--?[\w.-]+)(?:=(.*))?'/s.exec(message) ?? [];
  if (flag === undefined) return undefined;
  const { command } = commandOf(
    program,
    words.filter((word) => !/^-[qv]$|^--(quiet|verbose)$/.test(word)),
  );
  const flags = command.options.map(({ long }) => long);
  if (!flags.includes('--set')) return undefined;
  const key = settingNamed(flag.replace(/^--?/, ''));
  // Commands that train nothing have no recipe, and of the settings those of the data.
  if (key === undefined || !(flags.includes('--recipe') || key.startsWith('data.'))) return undefined;
  const next = words[words.indexOf(flag) + 1];
  const value = inside ?? (next === undefined || next.startsWith('-') ? '…' : next);
  return value === '…' ? `--set ${key}=…` : shellWords(['--set', `${key}=${value}`]);
}
