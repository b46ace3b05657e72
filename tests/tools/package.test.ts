/** The package as npm packs it and lays it out in another project: hoisted, without development packages, without src/. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compilerCommand, findProgram } from '../../tools/command.mjs';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'package-test-'));
const modules = join(temporary, 'project/node_modules');
const installed = join(modules, 'anatomy-ssl');
const command = join(modules, '.bin/anatomy');
const read = (file: string) => readFileSync(file, 'utf8');
const below = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' });

/** Packs and unpacks; what npm would fetch is linked from where it already is, one link for each package of its own. */
beforeAll(() => {
  mkdirSync(installed, { recursive: true });
  // dist/ is as the tests found it: other tests run from it, and must not see it change.
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', temporary], {
    cwd: repository,
    stdio: 'pipe',
  });
  const tarball = readdirSync(temporary).find((name) => name.endsWith('.tgz'))!;
  execFileSync('tar', ['-xzf', join(temporary, tarball), '--strip-components=1', '-C', installed]);
  const { packages } = JSON.parse(read(join(repository, 'package-lock.json'))) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [place, { dev }] of Object.entries(packages)) {
    const [, name, deeper] = /^node_modules\/((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(place) ?? [];
    if (name === undefined || deeper !== undefined || dev || !existsSync(join(repository, place))) continue;
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(repository, place), join(modules, name));
  }
  mkdirSync(dirname(command));
  symlinkSync('../anatomy-ssl/dist/cli/main.js', command);
});

afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** Runs the command as npx does. */
function anatomy(words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [command, ...words], {
    encoding: 'utf8',
    cwd: dirname(modules),
    env: { PATH: process.env.PATH, npm_lifecycle_event: 'npx', ...environment },
  });
}

test('the command starts, reads its settings and is executable', () => {
  const { version, bin } = JSON.parse(read(join(installed, 'package.json')));
  expect(bin).toEqual({ anatomy: 'dist/cli/main.js' });
  expect(anatomy(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
  const shown = anatomy(['config', 'show', '--recipe', 'recommended']);
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  expect(shown.stdout).toContain('recipe: recommended');
});

test('without the engine, doctor and every command that needs it name the command that builds it', () => {
  const examined = anatomy(['doctor']);
  expect(examined.status).toBe(4);
  expect(examined.stdout).toMatch(/\. This installs what it may, and builds: npx anatomy setup\n$/);
  const addon = JSON.parse(anatomy(['doctor', '--json']).stdout).checks.find(
    ({ name }: { name: string }) => name === 'addon',
  );
  expect(addon).toMatchObject({ status: 'missing', fix: 'npx anatomy setup' });
  const trained = anatomy(['pretrain', '--data', 'phantom:breast,pairs=8', '--steps', '1', '--out', 'run']);
  expect(trained.status).toBe(4);
  expect(trained.stderr).toContain('Run `npx anatomy setup`');
});

test('setup builds in the package, with the headers that npm put beside it, and touches nothing else', () => {
  const before = readdirSync(installed).sort();
  const torch = join(temporary, 'torch');
  for (const file of ['include/ATen/ATen.h', 'lib/libtorch_cpu.so']) {
    mkdirSync(dirname(join(torch, file)), { recursive: true });
    writeFileSync(join(torch, file), '');
  }
  mkdirSync(join(torch, 'include/torch'));
  const parts = Object.entries({ MAJOR: 2, MINOR: 6, PATCH: 0 });
  writeFileSync(
    join(torch, 'include/torch/version.h'),
    parts.map(([part, number]) => `#define TORCH_VERSION_${part} ${number}\n`).join(''),
  );
  // In the place of the compiler, whose half a minute is no business of this test: it says what it was asked for.
  const compiler = join(temporary, 'c++');
  writeFileSync(
    compiler,
    `#!/bin/sh\necho "$@" >> '${temporary}/asked'\nwhile [ $# -gt 0 ]; do\n  if [ "$1" = -o ]; then : > "$2"; fi\n  shift\ndone\n`,
  );
  chmodSync(compiler, 0o755);
  // There is no apt-get on this PATH.
  const environment = { LIBTORCH: torch, CXX: compiler, PATH: temporary };
  const setUp = anatomy(['setup'], environment);
  expect(setUp.stderr).toContain(`ready: Node ${process.versions.node}, LibTorch 2.6.0`);
  expect(setUp.status).toBe(0);
  const asked = read(join(temporary, 'asked'));
  for (const folder of ['node-api-headers/include', 'node-addon-api']) {
    expect(asked).toContain(`-isystem ${join(modules, folder)} `);
  }
  expect(readdirSync(installed).sort()).toEqual(before);
  const { addon } = JSON.parse(read(join(installed, 'native/build/current.json')));
  expect(existsSync(join(installed, 'native/build', addon))).toBe(true);
  expect(anatomy(['doctor'], environment).stdout).toContain('the addon built against LibTorch 2.6.0');
  rmSync(join(installed, 'native/build'), { recursive: true });
});

const compiler = findProgram(compilerCommand()[0]!);

test.skipIf(compiler === null)('the headers that the build names hold what the addon includes', () => {
  const tool = pathToFileURL(join(installed, 'tools/buildNative.mjs')).href;
  const script = `const { headerFolders } = await import('${tool}'); console.log(JSON.stringify(headerFolders()))`;
  const folders: string[] = JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }),
  );
  const source = join(temporary, 'includes.cc');
  writeFileSync(source, '#include <node_api.h>\n#include <napi.h>\n');
  const parameters = ['-std=c++17', '-E', ...folders.flatMap((folder) => ['-isystem', folder]), source];
  const { status, stderr } = spawnSync(compiler!, parameters, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('a folder that may not be written is named, with who may', () => {
  const copy = join(temporary, 'read-only');
  cpSync(join(installed, 'tools'), join(copy, 'tools'), { recursive: true });
  mkdirSync(join(copy, 'native'), { recursive: true });
  chmodSync(temporary, 0o755);
  chmodSync(join(copy, 'native'), 0o555);
  // What root may not write does not exist, so root becomes nobody.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const { status, stderr } = spawnSync(process.execPath, [join(copy, 'tools/setup.mjs')], {
    ...nobody,
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  chmodSync(join(copy, 'native'), 0o755);
  expect(stderr).toContain(`${join(copy, 'native/build')} cannot be written (EACCES)`);
  expect(stderr).toContain('as the user who installed the package');
  expect(status).toBe(4);
});

test('every package that the installed files import is a dependency, or one that is asked for when it is needed', () => {
  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
    read(join(installed, 'package.json')),
  );
  const optional = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name].optional);
  const scripts = below(join(installed, 'dist'))
    .filter((name) => name.endsWith('.js'))
    .map((name) => read(join(installed, 'dist', name)));
  const imported = scripts.flatMap((text) =>
    [...text.matchAll(/(?:^(?:import|export)\b[^;]*?from |^import |\bimport\()['"]([^.'"][^'"]*)['"]/gm)].map(
      ([, name]) => name!,
    ),
  );
  const names = imported
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))
    .map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)![0]);
  expect(names).toContain('commander');
  expect([...new Set(names)].filter((name) => !Object.hasOwn(dependencies, name))).toEqual(optional);
  const { status, stderr } = anatomy([
    'data',
    'align',
    'phantom:fundus,pairs=1',
    '--write',
    '--out',
    'aligned',
  ]);
  expect(stderr).toContain(
    `Registration needs the package @itk-wasm/elastix, which is not installed: npm install @itk-wasm/elastix@${peerDependencies['@itk-wasm/elastix']}`,
  );
  expect(status).toBe(1);
  expect(readdirSync(dirname(modules))).toEqual(['node_modules']);
});

const pages = () => below(installed).filter((name) => name.endsWith('.md') && !name.startsWith('native'));

test('every file that a page links to is in the package', () => {
  expect(pages()).toEqual(expect.arrayContaining(['README.md', 'docs/README.md', 'CHANGELOG.md']));
  const missing = pages().flatMap((page) => {
    const prose = read(join(installed, page)).replace(/^```.*?^```$/gms, '');
    return [...prose.matchAll(/\]\((?!\w+:)([^)\s#]+)/g)]
      .map(([, target]) => join(dirname(page), target!))
      .filter((file) => !existsSync(join(installed, file)))
      .map((file) => `${page}: ${file}`);
  });
  expect(missing).toEqual([]);
});

test('packing builds first, and leaves out sources, their maps and what the compiler remembers', () => {
  const clone = join(temporary, 'clone');
  for (const name of ['tools', 'package.json', 'tsconfig.build.json', 'tsconfig.json']) {
    cpSync(join(repository, name), join(clone, name), { recursive: true });
  }
  mkdirSync(join(clone, 'src/cli'), { recursive: true });
  mkdirSync(join(clone, 'native'));
  writeFileSync(join(clone, 'src/cli/main.ts'), 'export const made: number = 1;\n');
  mkdirSync(join(clone, 'web'));
  writeFileSync(join(clone, 'web/index.html'), '<!doctype html><title>page</title>');
  mkdirSync(join(clone, 'dist/old'), { recursive: true });
  writeFileSync(join(clone, 'dist/old/gone.js'), 'export {};\n');
  symlinkSync(join(repository, 'node_modules'), join(clone, 'node_modules'));
  // npm writes what the script prints before its own JSON.
  const printed = execFileSync('npm', ['pack', '--dry-run', '--json'], {
    cwd: clone,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  const [{ files }] = JSON.parse(printed.slice(printed.indexOf('[\n'))) as [{ files: { path: string }[] }];
  const page = ['dist/web/index.html', 'dist/web/licenses.md'];
  const packed = files.map(({ path }) => path).filter((path) => /^(dist|src)\//.test(path));
  expect(packed.sort()).toEqual(['dist/cli/main.d.ts', 'dist/cli/main.js', ...page]);
});
