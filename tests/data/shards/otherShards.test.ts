import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Header, pack } from 'tar-stream';
import { afterAll, describe, expect, test } from 'vitest';
import { openDataset } from '../../../src/data/openDataset.js';

const folder = mkdtempSync(join(tmpdir(), 'shards-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Opens an archive of these members; images need no content, as nothing is decoded. */
async function open(members: readonly (readonly [name: string | Partial<Header>, content?: string])[]) {
  const archive = pack();
  for (const [name, content = 'image'] of members)
    archive.entry(
      (typeof name === 'string' ? { name } : name) as Header,
      typeof name === 'string' ? content : '',
    );
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  const path = join(folder, 's.tar');
  writeFileSync(path, Buffer.concat(chunks));
  const warnings: string[] = [];
  const { samples } = await openDataset(
    { path },
    { onWarning: (text) => warnings.push(text), positive: 'optional' },
  );
  return { samples, warnings };
}
const pair = (key: string) => [[`${key}.a.png`], [`${key}.b.png`]] as const;
const sample = (key: string, json: string) => [...pair(key), [`${key}.json`, json]] as const;

describe('shards of other programs', () => {
  test('keep subject and label where another value is NaN', async () => {
    const { samples, warnings } = await open([
      ...sample('1', '{"subject": "P1", "label": "x", "age": NaN}'),
      ...sample('2', '{"subject": "P1", "label": "y", "age": 50.0}'),
    ]);
    expect(samples.map(({ subject, label }) => [subject, label])).toEqual([
      ['P1', 'x'],
      ['P1', 'y'],
    ]);
    expect(warnings.filter((text) => text.includes('subject'))).toEqual([]);
  });

  test('with and without subjects are told of, however it is missing', async () => {
    const { samples, warnings } = await open([
      ...sample('1', '{"subject": "P1"}'),
      ...sample('2', '{"subject": NaN}'),
      ...sample('3', '{"subject": null}'),
      ...sample('4', '{"subject": "n/a"}'),
      ...sample('5', '{}'),
      ...pair('6'),
    ]);
    expect(samples.map(({ subject }) => subject)).toEqual(['P1', '2', '3', '4', '5', '6']);
    expect(warnings).toEqual([expect.stringContaining('5 of 6 samples name no subject ("n/a")')]);
  });

  test('without any subject name the key that looks like one', async () => {
    const { warnings } = await open(sample('1', '{"subject": NaN, "patient_id": "P1"}'));
    expect(warnings).toEqual([expect.stringContaining('--column subject=patient_id, which looks like it')]);
  });

  test.each([
    ['{"subject": "P1", "age": Infinity}', '1.json: cannot be read as JSON'],
    ['{"subject": ["P1"]}', '1.json: the subject is ["P1"], expected text or an exact number'],
    ['{"subject": {"id": 1}}', 'the subject is {"id":1}'],
    [
      '{"subject": 12345678901234567890}',
      'the subject is 12345678901234567000, expected text or an exact number',
    ],
    ['{"subject": "P1", "label": ["x"]}', 'the label is ["x"]'],
    ['{"subject": "P1", "subject": "P2"}', 'names the key "subject" twice'],
  ])('with %s are refused by the name of the member', async (json, problem) => {
    await expect(open(sample('1', json))).rejects.toThrow(problem);
  });

  test('beside links that are not of the data are read', async () => {
    const link = { type: 'symlink', linkname: '1.a.png' } as const;
    const { samples } = await open([
      [{ ...link, name: 'newest.txt' }],
      ...pair('1'),
      [{ ...link, name: '1.thumb.png' }],
    ]);
    expect(samples.map(({ id }) => id)).toEqual(['1']);
  });

  test('take the label of .cls where that of the json is missing', async () => {
    const missing = ['null', 'NaN', '""', '"NA"', '"None"'].flatMap((label, i) => [
      ...sample(`${i}`, `{"subject": "P${i}", "label": ${label}}`),
      [`${i}.cls`, 'benign\n'] as const,
    ]);
    const { samples, warnings } = await open([
      ...missing,
      ...sample('9', '{"subject": "P9", "label": "malignant"}'),
      ['9.cls', '0'],
    ]);
    expect(samples.map(({ label }) => label)).toEqual([...Array(5).fill('benign'), 'malignant']);
    expect(warnings).toEqual([]);
  });

  test('do not take the key of one sample for a spelling of another’s subject', async () => {
    const { samples } = await open([
      ...sample('000003', '{"subject": null}'),
      ...sample('p1', '{}'),
      ...sample('4', '{"subject": 3}'),
      ...sample('5', '{"subject": "P1"}'),
      ...sample('6', '{"subject": "p1 "}'),
    ]);
    expect(samples.map(({ subject }) => subject)).toEqual(['000003', 'p1', '3', 'P1', 'P1']);
  });

  test('have their endings in any case', async () => {
    const { samples } = await open([
      ['1.A.PNG'],
      ['1.b.Png'],
      ['1.JSON', '{"subject": "P1"}'],
      ['1.CLS', 'x'],
    ]);
    expect(samples).toMatchObject([{ id: '1', subject: 'P1', label: 'x' }]);
  });

  test.each(['../1.a.png', '/etc/1.a.png', 'x/../../1.a.png', 'C:\\1.a.png'])(
    'that name %s, outside of the archive, are refused',
    async (name) => {
      await expect(open([[name], ...pair('2')])).rejects.toThrow('names a place outside of the archive');
    },
  );

  test('that hold links for images or values, or a file twice, are refused', async () => {
    const link = { name: '1.b.png', type: 'symlink', linkname: '1.a.png' } as const;
    const problem = '1.b.png: is a link, expected the file itself';
    await expect(open([['1.a.png'], [link]])).rejects.toThrow(problem);
    await expect(open([['1.a.png'], [{ ...link, type: 'link' }]])).rejects.toThrow(problem);
    for (const ending of ['json', 'cls']) {
      const other = { ...link, name: `1.${ending}`, linkname: '0.json' };
      await expect(open([...pair('1'), [other]])).rejects.toThrow(`1.${ending}: is a link`);
    }
    await expect(open([['1.a.png'], ['1.a.png']])).rejects.toThrow('1.a.png: stands twice in its sample');
  });
});
