import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { readCsv } from '../../src/text/readCsv.js';

const folder = mkdtempSync(join(tmpdir(), 'csv-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'table.csv');

const read = (content: string | Buffer) => {
  writeFileSync(file, content);
  return readCsv(file, 'the table');
};
const cells = async (content: string | Buffer) => {
  const { header, rows } = await read(content);
  return [header!, ...rows].map((row) => row.cells);
};
const TABLE = [
  ['id', 'label'],
  ['1', 'gut'],
  ['2', 'Läsion, links'],
];

describe('readCsv', () => {
  test.each([
    ['commas', 'id,label\n1,gut\n2,"Läsion, links"\n'],
    ['semicolons', 'id;label\n1;gut\n2;Läsion, links\n'],
    ['tabs', 'id\tlabel\n1\tgut\n2\tLäsion, links\n'],
    ['bars', 'id|label\n1|gut\n2|Läsion, links\n'],
    ['line ends of Windows', 'id,label\r\n1,gut\r\n2,"Läsion, links"\r\n'],
    ['line ends of old Macs', 'id,label\r1,gut\r2,"Läsion, links"\r'],
    ['mixed line ends and none at the end', 'id,label\r\n1,gut\n2,"Läsion, links"'],
    ['a mark at the beginning', '\uFEFFid,label\n1,gut\n2,"Läsion, links"\n'],
    ['a mark before a quoted name', '\uFEFF"id","label"\n"1","gut"\n"2","Läsion, links"\n'],
    ['Excel’s sep=', 'sep=;\r\nid;label\r\n1;gut\r\n2;Läsion, links\r\n'],
    ['Excel’s sep= for a table whose header has other ones', 'sep=,\nid,label\n1,gut\n2,"Läsion, links"\n'],
    ['empty columns', 'id,label,,\n1,gut,,\n2,"Läsion, links",,\n'],
    ['an empty column in the middle', 'id,,label\n1,,gut\n2,,"Läsion, links"\n'],
    ['empty cells beyond the header', 'id,label\n1,gut,,\n2,"Läsion, links",\n'],
    ['rows of commas alone', 'id,label\n1,gut\n,\n , \n2,"Läsion, links"\n,\n,,,\n'],
    ['empty lines', '\n\nid,label\n\n1,gut\n   \n2,"Läsion, links"\n\n'],
    ['spaces around cells', ' id , label\n1,\u00A0gut \n 2 ," Läsion, links "\n'],
  ])('reads a table with %s', async (_, text) => {
    expect(await cells(text)).toEqual(TABLE);
  });

  test.each([
    ['UTF-16 with its mark', Buffer.from('\uFEFFid\tlabel\r\n1\tgut\r\n2\tLäsion, links\r\n', 'utf16le')],
    ['UTF-16 without a mark', Buffer.from('id,label\n1,gut\n2,"Läsion, links"\n', 'utf16le')],
    ['big-endian UTF-16', Buffer.from('\uFEFFid,label\n1,gut\n2,"Läsion, links"\n', 'utf16le').swap16()],
  ])('reads %s without a word', async (_, bytes) => {
    expect(await cells(bytes)).toEqual(TABLE);
    expect((await read(bytes)).warnings).toEqual([]);
  });

  test('reads text that is not in UTF-8 as Windows-1252, and says so', async () => {
    const latin = Buffer.from('id,label\n1,gut\n2,"Läsion, links"\n', 'latin1');
    expect(await cells(latin)).toEqual(TABLE);
    expect((await read(latin)).warnings).toEqual([
      expect.stringContaining(`${file}: is not in UTF-8 and is read as Windows-1252`),
    ]);
  });

  test('numbers lines as an editor does, whatever stands before them', async () => {
    const lines = async (text: string) => (await read(text)).rows.map(({ line }) => line);
    expect(await lines('id,label\n1,x\n,\n\n2,y\n')).toEqual([2, 5]);
    expect(await lines('sep=,\r\nid,label\r\n1,x\r\n2,y\r\n')).toEqual([3, 4]);
    expect(await lines('id,label\r1,x\r2,y\r')).toEqual([2, 3]);
    expect(await lines('id,label\n1,"x\ny"\n2,z\n')).toEqual([3, 4]);
  });

  test('keeps one nameless column with content, and refuses several', async () => {
    expect(await cells(',id\n0,1\n')).toEqual([
      ['', 'id'],
      ['0', '1'],
    ]);
    await expect(read(',id,,\n0,1,x,\n')).rejects.toThrow(
      `${file}:1: columns 1, 3 have content and no name. Name or remove them.`,
    );
  });

  test('refuses lines with other cells than the header, open quotes and NUL, and names the line', async () => {
    await expect(read('id,label\n1,x\n2,y,z\n')).rejects.toThrow(
      `${file}:3: is not valid CSV: it has 3 cells`,
    );
    await expect(read('id,label\n1,x\n2\n')).rejects.toThrow(
      `${file}:3: is not valid CSV: it has 1 cell, and the header 2`,
    );
    await expect(read('id,label\n1,"x\n2,y\n')).rejects.toThrow(/table\.csv:\d: is not valid CSV/);
    await expect(read('id,label\n1,x\0y\n')).rejects.toThrow(`${file}:2: is not valid CSV: it holds a NUL`);
    await expect(readCsv(join(folder, 'no.csv'), 'the table')).rejects.toThrow('no such file');
  });

  test('gives nothing for a file of nothing', async () => {
    for (const text of ['', '\n\n', '\uFEFF', ',,\n,,\n', 'sep=;\n'])
      expect(await read(text)).toEqual({ header: undefined, rows: [], warnings: [] });
  });

  test('reads back any table in any dialect', async () => {
    const cell = fc
      .string({ unit: 'grapheme', maxLength: 6 })
      .map((text) => text.replaceAll('\0', '').trim());
    const dialect = fc.record({
      delimiter: fc.constantFrom(',', ';', '\t', '|'),
      end: fc.constantFrom('\n', '\r\n', '\r'),
      encode: fc.constantFrom(
        (text: string) => Buffer.from(text),
        (text: string) => Buffer.from(`\uFEFF${text}`),
        (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le'),
        (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
      ),
      saysDelimiter: fc.constantFrom(true, false),
      emptyColumns: fc.constantFrom(0, 1, 3),
      emptyRows: fc.constantFrom(0, 2),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { maxLength: 5 }),
        dialect,
        async (rows, d) => {
          const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
          const padding = d.delimiter.repeat(d.emptyColumns);
          const line = (cells: readonly string[]) => cells.map(quoted).join(d.delimiter) + padding + d.end;
          const blank = (d.delimiter + padding + d.end).repeat(d.emptyRows);
          const text = [['id', 'label'], ...rows].map(line).join(blank) + blank;
          const said = d.saysDelimiter ? `sep=${d.delimiter}${d.end}` : '';
          const filled = rows.filter((row) => row.some((one) => one !== ''));
          expect(await cells(d.encode(said + text))).toEqual([['id', 'label'], ...filled]);
        },
      ),
      { numRuns: 200 },
    );
  });
});
