/** How to cite: the file for programs and the README say the same, of this version. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const read = (file: string) => readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8');
const citation = parse(read('CITATION.cff'));
const { version, license } = JSON.parse(read('package.json'));
const bibtex = /^```bibtex\n(.*?)^```$/ms.exec(read('README.md'))![1]!;
const entries = bibtex.split(/^(?=@)/m);
const field = (entry: string, name: string) =>
  new RegExp(`^  ${name} += \\{(.*)\\},?$`, 'm').exec(entry)?.[1];

test('CITATION.cff has what its format asks for, of this package', () => {
  expect(citation).toMatchObject({
    'cff-version': '1.2.0',
    type: 'software',
    title: 'anatomy-ssl',
    version,
    license,
  });
  expect(citation.message).not.toBe('');
  expect(citation.authors).toEqual([{ name: 'The anatomy-ssl maintainers' }]);
  expect(read('LICENSE')).toContain(citation.authors[0].name);
});

test('the README cites the paper and the software as CITATION.cff does', () => {
  const [paper, software] = entries as [string, string];
  const [reference] = citation.references;
  const authors = reference.authors.map(
    (one: Record<string, string>) => `${one['family-names']}, ${one['given-names']}`,
  );
  expect(field(paper, 'title')).toBe(reference.title);
  expect(field(paper, 'author')).toBe(authors.join(' and '));
  expect(field(paper, 'year')).toBe(String(reference.year));
  expect(field(paper, 'booktitle')!.replace(/[{}]/g, '')).toBe(reference['collection-title']);
  expect(field(software, 'version')).toBe(version);
  expect(field(software, 'author')).toBe(`{${citation.authors[0].name}}`);
  expect(entries).toHaveLength(2);
});
