import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { type ConfigFlags, configSources } from '../src/cli/options/configOptions.js';
import { anatomyProgram } from '../src/cli/program.js';
import { configSchema, resolveConfig } from '../src/config/index.js';
import { methodNames } from '../src/methods/index.js';

/** What is written for people must be true of the program. */
const root = fileURLToPath(new URL('..', import.meta.url));
const pages = [
  ...readdirSync(root),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
].filter((name) => name.endsWith('.md'));

const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');
const fence = /^```(\w*)\n(.*?)^```$/gms;
const prose = (page: string): string => textOf(page).replace(fence, '');

interface Found {
  readonly page: string;
  readonly text: string;
}

/** Code blocks of a language; without one they are for the shell. */
const blocks = (wanted: string): Found[] =>
  pages.flatMap((page) =>
    [...textOf(page).matchAll(fence)]
      .filter(([, language]) => language === wanted)
      .map(([, , text]) => ({ page, text: text! })),
  );

/** Lines that begin with a word, without comments; lines that end in a backslash go on. */
const shellLines = (program: RegExp): Found[] =>
  blocks('').flatMap(({ page, text }) =>
    text
      .replace(/\\\n/g, ' ')
      .split('\n')
      .map((line) => line.replace(/(^|\s)#.*/, '').trim())
      .filter((line) => program.test(line))
      .map((line) => ({ page, text: line })),
  );

/** `code` in running text. */
const spans: Found[] = pages.flatMap((page) =>
  [...prose(page).matchAll(/`([^`\n]+)`/g)].map(([, text]) => ({ page, text: text! })),
);

const wordsOf = (line: string): string[] => line.replace(/^(npx )?anatomy\s+| > \S+$/g, '').split(/\s+/);

function descend(program: Command, words: string[]): [Command, string[]] {
  const next = program.commands.find((command) => command.name() === words[0]);
  return next === undefined ? [program, words] : descend(next, words.slice(1));
}

describe('links', () => {
  const links = pages.flatMap((page) =>
    [...prose(page).matchAll(/\]\((?!\w+:)([^)\s]*)\)/g)].map(([, target]) => ({ page, target: target! })),
  );
  const slugs = (text: string): string[] =>
    [...text.replace(fence, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    );

  test.each(links)('$page: $target', ({ page, target }) => {
    const [path, anchor] = target.split('#') as [string, string?];
    const file = path === '' ? page : join(dirname(page), path);
    expect(existsSync(join(root, file)), file).toBe(true);
    if (anchor !== undefined) expect(slugs(textOf(file))).toContain(anchor);
  });
});

const LONGEST = 120;

test.each(pages)(`%s has no line above ${LONGEST} characters outside of tables and code`, (page) => {
  const blank = (block: string) => block.replace(/[^\n]/g, '');
  const long = textOf(page)
    .replace(fence, blank)
    .split('\n')
    .flatMap((line, i) => (line.length > LONGEST && !/^\s*\|/.test(line) ? [`${page}:${i + 1}`] : []));
  expect(long).toEqual([]);
});

/** `src/losses/anatomy.ts` in running text; the example of CONTRIBUTING is a file that is not there. */
const paths = spans.filter(
  ({ text }) =>
    /^(src|tests|tools|native|bench|docs|experiments)\/[\w./-]*$/.test(text) &&
    text !== 'src/methods/barlow.ts',
);

test.each(paths)('$page names $text, which is there', ({ text }) => {
  expect(existsSync(join(root, text))).toBe(true);
});

describe('troubleshooting quotes messages of the program', () => {
  const sources = ['src', 'tools', 'native'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /^(?!build).*\.(m?[jt]s|cc|h)$/.test(name))
      .map((name) => textOf(join(folder, name))),
  );
  const all = sources.join('\n');
  const symptoms = [...textOf('docs/troubleshooting.md').matchAll(/^\*\*(`[^*]+)\*\*/gm)].flatMap(
    ([, title]) => [...title!.matchAll(/`([^`]+)`/g)].map(([, message]) => message!),
  );
  /** What a message puts in between is the user's own, so a run of so many letters tells that it is still there. */
  const RUN = 14;

  test.each(symptoms.filter((one) => one.length >= RUN && !one.startsWith('ENOSPC')))('%s', (message) => {
    const runs = Array.from({ length: message.length - RUN + 1 }, (_, i) => message.slice(i, i + RUN));
    expect(runs.some((run) => all.includes(run))).toBe(true);
  });
});

describe('commands', () => {
  test.each(shellLines(/^(npx )?anatomy\s/))('$page: $text', ({ text }) => {
    const program = anatomyProgram();
    const silence = (command: Command): void => {
      command.action(() => {}).configureOutput({ writeErr: () => {}, outputError: () => {} });
      command.commands.forEach(silence);
    };
    program.commands.forEach(silence);
    program.parse(wordsOf(text), { from: 'user' });
    const [command] = descend(program, wordsOf(text));
    const takesConfig = command.options.some(({ long }) => long === '--set');
    // The config file of an example is not there; its settings must make sense without it.
    const sources = configSources({ ...command.opts<ConfigFlags>(), config: undefined });
    if (takesConfig) expect(() => resolveConfig(sources)).not.toThrow();
  });

  test.each(spans.filter(({ text }) => /^(npx )?anatomy\s/.test(text)))(
    'in passing, $page: $text',
    ({ text }) => {
      const [command, rest] = descend(anatomyProgram(), wordsOf(text.replace(/ \|.*/, '')));
      const { operands, unknown } = command.parseOptions(rest);
      expect(unknown).toEqual([]);
      if (command.commands.length > 0) expect(operands, 'unknown command').toEqual([]);
    },
  );

  test('a clone has no anatomy on its PATH, so every command of a block begins with npx', () => {
    expect(shellLines(/^anatomy\s/)).toEqual([]);
  });

  test.each(shellLines(/^npm\s/))('$page: $text', ({ text }) => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    const [, first, second] = text.split(/\s+/) as [string, string, string?];
    expect([...Object.keys(scripts), 'pack', 'install']).toContain(first === 'run' ? second : first);
  });
});

describe('settings', () => {
  const groups = Object.keys(configSchema.shape).join('|');
  const named = spans.flatMap(({ page, text }) => {
    const key = new RegExp(`^(?:--set )?((?:${groups})\\.[\\w.]+)(=.*)?$`).exec(text)?.[1];
    return key === undefined ? [] : [{ page, key }];
  });

  test.each(named)('$page: $key', ({ key }) => {
    const known = methodNames.filter((name) => {
      try {
        resolveConfig({ set: [`method=${name}`, `${key}=null`] });
      } catch (error) {
        return !/unknown key|not a group of settings/.test((error as Error).message);
      }
      return true;
    });
    expect(known).not.toEqual([]);
  });
});

test('TypeScript blocks compile against the published types', () => {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
    skipLibCheck: true,
    paths: { 'anatomy-ssl': [join(root, 'dist', 'index.d.ts')] },
  };
  // What CONTRIBUTING shows is a file of src/; tests/methods/contributing.test.ts builds it there.
  const shown = blocks('ts').filter(({ page }) => page !== 'CONTRIBUTING.md');
  const examples = new Map(shown.map(({ page, text }, i) => [join(root, `${page}.${i}.mts`), text] as const));
  expect(examples.size).toBeGreaterThan(0);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => examples.has(file) || fileExists(file);
  host.getSourceFile = (file, target, ...rest) => {
    const text = examples.get(file);
    return text === undefined
      ? getSourceFile(file, target, ...rest)
      : ts.createSourceFile(file, text, target);
  };
  const program = ts.createProgram([...examples.keys()], options, host);
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    return `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
  expect(problems).toEqual([]);
});
