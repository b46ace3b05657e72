/** What a browser loads with the page, and what only later. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const page = fileURLToPath(new URL('../../dist/web/', import.meta.url));
const read = (name: string) => readFileSync(join(page, name), 'utf8');
const names = readdirSync(join(page, 'assets')).map((name) => `assets/${name}`);

/** The files that the page names, and those that these import before they run. */
function atOnce(): string[] {
  const found = new Set(names.filter((name) => read('index.html').includes(name)));
  for (const file of found) {
    for (const [, name] of read(file).matchAll(/(?:import|from)\s*["'`]\.\/([^"'`]+)["'`]/g))
      found.add(`assets/${name}`);
  }
  return [...found];
}

test('what is loaded with the page is at most 300 kB, and Niivue is no part of it', () => {
  const files = atOnce();
  expect(files.length).toBeGreaterThan(1); // the code and its style
  const bytes = ['index.html', 'style.css', ...files].map((name) => gzipSync(read(name)).length);
  expect(bytes.reduce((sum, one) => sum + one)).toBeLessThanOrEqual(300_000);
  const viewer = names.filter((name) => read(name).includes('isRadiologicalConvention'));
  expect(viewer).toHaveLength(1);
  expect(files).not.toContain(viewer[0]);
  const name = viewer[0]!.replace('assets/', '');
  expect(files.filter((file) => /import\(["'`]/.test(read(file)) && read(file).includes(name))).toHaveLength(
    1,
  );
});

test('the licence of all that is in it lies beside it, with its text', () => {
  const sections = read('licenses.md').split(/^## /m).slice(1);
  expect(sections.length).toBeGreaterThan(2);
  const notices = readFileSync(
    new URL('../../THIRD_PARTY_NOTICES.md', import.meta.url),
    'utf8',
  ).toLowerCase();
  for (const text of sections) {
    expect(text).toMatch(/copyright/i);
    expect(notices).toContain(text.split(' - ')[0]!.replace('@niivue/', ''));
  }
});
