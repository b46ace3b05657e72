/** The completion scripts in the shells themselves, where they are installed. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { completedCommands } from '../../../src/cli/completion/commandTree.js';
import { completionScript, type Shell, shells } from '../../../src/cli/completion/scripts.js';
import { anatomyProgram } from '../../../src/cli/program.js';
import { methodNames } from '../../../src/methods/index.js';
import { findProgram } from '../../../tools/command.mjs';

const program = anatomyProgram();
const commands = completedCommands(program);
const folder = mkdtempSync(join(tmpdir(), 'completion-'));
const fileOf = (shell: Shell) => join(folder, `anatomy.${shell}`);
beforeAll(() => {
  for (const shell of shells) writeFileSync(fileOf(shell), completionScript(shell, commands));
  writeFileSync(join(folder, 'pairs.csv'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (shell: Shell, parameters: readonly string[]) =>
  execFileSync(shell, parameters, {
    encoding: 'utf8',
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder },
  });
const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');

/** What the shell offers for a line whose last word is being typed. */
const offered: Readonly<Record<Shell, (line: string) => string[]>> = {
  bash(line) {
    const words = line.split(' ');
    const script = `source '${fileOf('bash')}'
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _anatomy; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return linesOf(run('bash', ['--norc', '-c', script, 'bash', ...words]));
  },
  // Without a terminal zsh's own functions of completion have nothing to write to, so they print what they are given.
  zsh(line) {
    const script = `compdef() { :; }; _files() { print FILES }; typeset -A _comps
      compadd() { shift; print -l -- "$@" }
      _describe() { local name=\${@[-1]}; print -l -- \${\${(P)name}%%:*} }
      source '${fileOf('zsh')}'
      words=("$@"); CURRENT=$#; _anatomy`;
    const typed = line.split(' ').at(-1)!;
    const all = linesOf(run('zsh', ['-f', '-c', script, 'zsh', ...line.split(' ')]));
    return all.filter((word) => word !== 'FILES' && word.startsWith(typed));
  },
  fish(line) {
    const script = `source '${fileOf('fish')}'; complete -C '${line}'`;
    return linesOf(run('fish', ['--no-config', '-c', script])).map((found) => found.split('\t')[0]!);
  },
};

describe.each(shells)('%s', (shell) => {
  const here = test.skipIf(findProgram(shell) === null);
  const offer = (line: string) => offered[shell](line).sort();

  here('reads the script without a word', () => {
    expect(run(shell, ['-n', fileOf(shell)])).toBe('');
  });

  here.each([
    ['anatomy pre', ['predict', 'pretrain']],
    ['anatomy data ', ['align', 'check', 'pack', 'phantom', 'preview', 'split']],
    ['anatomy -q evaluate lo', ['logreg']],
    ['anatomy config show --rec', ['--recipe']],
    ['anatomy pretrain --out evaluate --micro', ['--micro-batch']],
    ['anatomy pretrain --method den', ['densecl']],
    ['anatomy pretrain --method ', [...methodNames].sort()],
    ['anatomy data check --spellings ', ['join', 'keep']],
    ['anatomy evaluate finetune --preset ', ['hu', 'layer-decay', 'simclr']],
    ['anatomy experiment table runs/x --format ', ['csv', 'latex', 'markdown']],
    ['anatomy complete ', [...shells].sort()],
    ['npx anatomy dat', ['data']],
    ['npx anatomy data che', ['check']],
    ['anatomy --vers', ['--version']],
    ['anatomy doctor --he', ['--help']],
  ])('completes %s', (line, expected) => {
    expect(offer(line)).toEqual(expected);
  });

  here('leaves npx with other programs alone', () => {
    expect(offer('npx vitest ru')).not.toContain('run');
    expect(offer('npx vitest --met')).toEqual([]);
  });

  here('has files where a flag or an argument is one', () => {
    const files = (line: string) => {
      // The default of bash and the functions of zsh need a terminal; what is asked of them is seen.
      if (shell === 'fish') return offer(`${line}pai`);
      return shell === 'bash' ? offer(line) : [];
    };
    const expected = shell === 'fish' ? ['pairs.csv'] : [];
    expect(files('anatomy pretrain --data ')).toEqual(expected);
    expect(files('anatomy data check ')).toEqual(expected);
  });
});

test('files are left to bash by an empty answer, and asked of zsh', () => {
  expect(completionScript('bash', commands)).toContain('complete -o default -F _anatomy anatomy\n');
  expect(completionScript('zsh', commands)).toMatch(/'pretrain:--data'[^\n]*\) _files; return ;;/);
});

test('values are read from descriptions that list them, and from no others', () => {
  const values = commands.flatMap(({ flags }) => flags.filter((flag) => flag.values.length > 0));
  const names = new Set(values.map(({ name }) => name));
  expect(values.every((flag) => flag.values.every((value) => /^[\w:-]+$/.test(value)))).toBe(true);
  for (const name of [
    '--method',
    '--recipe',
    '--precision',
    '--device',
    '--preset',
    '--format',
    '--spellings',
  ])
    expect(names).toContain(name);
  for (const name of ['--fold', '--micro-batch', '--data', '--init-from', '--images', '--out', '--folds'])
    expect(names).not.toContain(name);
});

test('every command and every flag is in the tree', () => {
  const count = (command: Command): number => 1 + command.commands.reduce((sum, one) => sum + count(one), 0);
  expect(commands).toHaveLength(count(program));
  const finetune = commands.find(({ path }) => path === 'evaluate finetune')!;
  const asked = program.commands
    .find((one) => one.name() === 'evaluate')!
    .commands.find((one) => one.name() === 'finetune')!;
  expect(finetune.flags.map(({ name }) => name)).toEqual([
    ...asked.options.map(({ long }) => long),
    '--help',
  ]);
});
