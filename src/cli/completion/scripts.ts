/**
 * Scripts by which shells complete `anatomy`, and `npx anatomy` where nothing else completes npx. All they know stands
 * in them, so that a key press starts no program.
 */
import type { Completed, Flag } from './commandTree.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** Writes the script for a shell. */
export function completionScript(shell: Shell, commands: readonly Completed[]): string {
  return { bash, zsh, fish }[shell](commands);
}

/** A word that no shell changes anything in. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Lines of a `case` that bash and zsh share. */
function branches(entries: readonly (readonly [readonly string[], string])[]): string {
  return entries
    .filter(([patterns]) => patterns.length > 0)
    .map(([patterns, body]) => `    ${patterns.map(quoted).join('|')}) ${body} ;;\n`)
    .join('');
}

/** In bash and zsh: the path of the command goes on by the word. */
const DESCEND = `at="\${at:+$at }$word"`;

/** Every command's path with the word that comes last held apart, as the script meets them from left to right. */
const steps = (commands: readonly Completed[]) =>
  commands.flatMap(({ path, commands: below }) => below.map(({ name }) => `${path}:${name}`));

const flagsWith = (commands: readonly Completed[], which: (flag: Flag) => boolean) =>
  commands.flatMap(({ path, flags }) =>
    flags.filter(which).map((flag) => ({ key: `${path}:${flag.name}`, flag })),
  );

const withValues = (commands: readonly Completed[]) => flagsWith(commands, ({ values }) => values.length > 0);
const withFreeValue = (commands: readonly Completed[]) =>
  flagsWith(commands, ({ takesValue, values }) => takesValue && values.length === 0);

/** Flags with equal values share a branch: most of them stand in several commands. */
function byValues(commands: readonly Completed[]): [string[], string][] {
  const keys = new Map<string, string[]>();
  for (const { key, flag } of withValues(commands)) {
    const values = flag.values.join(' ');
    keys.set(values, [...(keys.get(values) ?? []), key]);
  }
  return [...keys].map(([values, found]) => [found, values]);
}

function bash(commands: readonly Completed[]): string {
  const flags = commands.map(
    (one) => [[one.path], `words=${quoted(one.flags.map(({ name }) => name).join(' '))}`] as const,
  );
  const words = commands
    .map((one) => [[one.path], [...one.commands.map(({ name }) => name), ...one.words].join(' ')] as const)
    .filter(([, list]) => list !== '')
    .map(([path, list]) => [path, `words=${quoted(list)}`] as const);
  // Without words to offer, bash completes files: `-o default`.
  return `# Completion of anatomy in bash.
_anatomy() {
  local word at= words= i first=1 cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if [[ \${COMP_WORDS[0]} == npx ]]; then
    [[ $COMP_CWORD -gt 1 && \${COMP_WORDS[1]} == anatomy ]] || return
    first=2
  fi
  for ((i = first; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$at:$word" in
${branches([[steps(commands), DESCEND]])}    esac
  done
  case "$at:$previous" in
${branches([
  ...byValues(commands).map(
    ([keys, values]) => [keys, `COMPREPLY=($(compgen -W ${quoted(values)} -- "$cur")); return`] as const,
  ),
  [withFreeValue(commands).map(({ key }) => key), 'return'],
])}  esac
  if [[ $cur == -* ]]; then case "$at" in
${branches(flags)}  esac; else case "$at" in
${branches(words)}  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _anatomy anatomy
complete -p npx &> /dev/null || complete -o default -F _anatomy npx
`;
}

function zsh(commands: readonly Completed[]): string {
  const described = (entries: readonly { name: string; about: string }[]) =>
    entries.map(({ name, about }) => quoted(`${name.replaceAll(':', '\\:')}:${about}`)).join(' ');
  const words = commands.filter(({ commands: below, words: own }) => below.length + own.length > 0);
  return `#compdef anatomy
# Completion of anatomy in zsh.
_anatomy() {
  local word at= previous=$words[CURRENT-1] first=2
  local -a names
  if [[ $words[1] == npx ]]; then
    if (( CURRENT < 3 )) || [[ $words[2] != anatomy ]]; then _files; return; fi
    first=3
  fi
  for word in "\${(@)words[first,CURRENT-1]}"; do
    case "$at:$word" in
${branches([[steps(commands), DESCEND]])}    esac
  done
  case "$at:$previous" in
${branches([
  ...byValues(commands).map(
    ([keys, values]) => [keys, `compadd -- ${values.split(' ').map(quoted).join(' ')}; return`] as const,
  ),
  [withFreeValue(commands).map(({ key }) => key), '_files; return'],
])}  esac
  if [[ $words[CURRENT] == -* ]]; then
    case "$at" in
${branches(commands.map(({ path, flags }) => [[path], `names=(${described(flags)})`]))}    esac
    _describe -o flag names
    return
  fi
  case "$at" in
${branches(words.map((one) => [[one.path], `names=(${described([...one.commands, ...one.words.map((name) => ({ name, about: '' }))])})`]))}  esac
  if (( $#names )); then _describe command names; else _files; fi
}
# A file in fpath is the function's own body at its first call; one that is sourced says what it completes.
if [[ $funcstack[1] == _anatomy ]]; then
  _anatomy "$@"
else
  compdef _anatomy anatomy
  (( $+_comps[npx] )) || compdef _anatomy npx
fi
`;
}

function fish(commands: readonly Completed[]): string {
  const quotedFish = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap(({ path, commands: below, flags, words }) => {
    const here = `-n ${quotedFish(`__anatomy_at ${quotedFish(path)}`)}`;
    return [
      ...below.map(({ name, about }) => `${here} -f -a ${name} -d ${quotedFish(about)}`),
      ...(words.length === 0 ? [] : [`${here} -f -a ${quotedFish(words.join(' '))}`]),
      ...flags.map(({ name, about, takesValue, values }) => {
        const value = values.length > 0 ? ` -x -a ${quotedFish(values.join(' '))}` : takesValue ? ' -r' : '';
        return `${here} -l ${name.replace(/^--/, '')}${value} -d ${quotedFish(about)}`;
      }),
    ];
  });
  const known = steps(commands).map(quotedFish).join(' ');
  return `# Completion of anatomy in fish.
function __anatomy_at
  set -l words (commandline -opc)
  if test "$words[1]" = npx
    test (count $words) -gt 1; and test "$words[2]" = anatomy; or return 1
    set -e words[1]
  end
  set -l at ''
  for word in $words[2..-1]
    if contains -- "$at:$word" ${known}
      set at (string trim -- "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
for program in anatomy npx
${lines.map((line) => `  complete -c $program ${line}\n`).join('')}end
`;
}
