/** The commands that the program prints in hints, errors and pages are commands that it takes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { anatomyProgram } from '../../src/cli/program.js';
import { simulatedPairs } from '../../src/data/write/simulatedPairs.js';

const src = fileURLToPath(new URL('../../src/', import.meta.url));
const program = anatomyProgram();

/** Goes down to the command that words name. @returns it and the words after its name */
function descend(words: readonly string[], command: Command = program): [Command, readonly string[]] {
  const next = command.commands.find((one) => one.name() === words[0]);
  return next === undefined ? [command, words] : descend(words.slice(1), next);
}

/** The commands in the texts of a source file, up to the end of their sentence; comments are left out. */
function printed(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return [...text.matchAll(/(?<![\w/.:-])anatomy ([a-z][^`'"<\n;]*)/g)]
    .map(
      ([, rest]) => rest!.replace(/evaluate \$\{name\}/, 'evaluate logreg').split(/[.,:)](?:\s|$)| and /)[0]!,
    )
    .filter((rest) => program.commands.some((one) => one.name() === rest.split(' ')[0]));
}

const commands = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .flatMap((file) => printed(file).map((text) => ({ file, text })));

test('there are many of them', () => expect(commands.length).toBeGreaterThan(50));

test.each(commands)('$file: anatomy $text', ({ text }) => {
  const [command, rest] = descend(text.split(' '));
  const flags = rest.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split('=')[0]);
  const known = command.options.map(({ long }) => long);
  expect(flags.filter((flag) => !known.includes(flag))).toEqual([]);
  // Whoever types it as it stands must not be told that the data are missing.
  const named = command.registeredArguments.length > 0 && !rest[0]?.startsWith('--');
  if (command.parent?.name() === 'data' && known.includes('--data') && flags.includes('--out') && !named) {
    expect(flags).toContain('--data');
  }
});

test('a command in dataset.json is quoted, and is taken as it stands', () => {
  const name = "the patients' photographs";
  const photographs = { name, samples: [], modalities: ['a'] };
  const { card } = simulatedPairs(photographs, { size: 64, seed: 3 });
  expect(card.command).toBe(
    `anatomy data phantom --from 'the patients'\\''  photographs' --size 64 --seed 3 --out FOLDER`.replace(
      '  ',
      ' ',
    ),
  );
});
