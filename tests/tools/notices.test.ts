/** Holds THIRD_PARTY_NOTICES.md against the lock file, the installed packages and what the codecs are compiled from. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const notices = read('THIRD_PARTY_NOTICES.md');

interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
}

const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
const production = Object.entries(packages).filter(([path, { dev }]) => path !== '' && !dev);
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

test('every package that a production install may bring stands there with version and licence', () => {
  const rows = production.map(
    ([path, { version, license }]) => `| ${nameOf(path)} | ${version} | ${license ?? 'none named'} |`,
  );
  const stated = notices.match(/^\| [^|]+ \| \d[^|]* \| [^|]+ \|$/gm) ?? [];
  expect(stated).toEqual([...new Set(rows)].sort());
});

test('the installed packages name the same licences', () => {
  const installed = production.filter(([path]) => existsSync(join(root, path, 'package.json')));
  expect(installed.length).toBeGreaterThan(80);
  for (const [path, { version, license }] of installed) {
    expect({ path, ...JSON.parse(read(join(path, 'package.json'))) }).toMatchObject({
      path,
      version,
      license,
    });
  }
});

test('licences that ask for more than a notice are those that the text explains', () => {
  const weak = /^(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|Unlicense)$/;
  const others = production.filter(([, { license }]) => !weak.test(license ?? ''));
  const names = new Set(others.map(([path]) => nameOf(path).replace(/(libvips|win32|wasm32).*/, '$1')));
  expect([...names].sort()).toEqual([
    '@img/sharp-libvips',
    '@img/sharp-wasm32',
    '@img/sharp-win32',
    '@saehrimnir/druidjs',
  ]);
  for (const word of ['DruidJS', 'libvips', 'LGPL-3.0']) expect(notices).toContain(word);
});

test.each([
  ['CharLS', 'charls', 'charlswasm.wasm', /charls (\d+\.\d+\.\d+)/],
  ['OpenJPEG', 'openjpeg', 'openjpegwasm.wasm', /\0(2\.\d+\.\d+)\0/],
  ['libjpeg-turbo', 'libjpeg-turbo-8bit', 'libjpegturbowasm.wasm', /libjpeg-turbo version (\d+\.\d+\.\d+)/],
])('%s is named in the version that the codec was compiled from', (name, codec, file, pattern) => {
  const wasm = readFileSync(
    join(root, 'node_modules/@cornerstonejs', `codec-${codec}`, 'dist', file),
    'latin1',
  );
  const version = pattern.exec(wasm)?.[1];
  expect(version).toBeDefined();
  expect(notices).toContain(`${name} ${version}`);
});
