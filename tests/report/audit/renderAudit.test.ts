import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { similarity } from '../../../src/data/align/transformation.js';
import { type AuditReport, auditDataset } from '../../../src/data/audit/audit.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset } from '../../../src/data/sample.js';
import { auditFigures } from '../../../src/report/audit/auditFigures.js';
import { auditText } from '../../../src/report/audit/auditText.js';
import { blendsOf } from '../../../src/report/audit/blends.js';
import { renderAudit } from '../../../src/report/audit/renderAudit.js';
import { lying } from '../../data/align/lying.js';
import { drawnDataset, raster, spots } from '../../data/audit/drawnPairs.js';
import { writePlanted } from '../../data/audit/plantedPairs.js';
import { withGaps } from '../../data/gapped.js';

let folder: string;
let dataset: Dataset;
let report: AuditReport;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'audit-report-'));
  const path = await writePlanted(join(folder, 'patients'));
  dataset = await openDataset({ path }, { positive: 'optional' });
  report = await auditDataset(dataset);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function parse(page: string) {
  return parseHTML(page).document;
}

describe('the page of an audit', () => {
  it('shows each finding with thumbnails of the offenders beside their mates', async () => {
    const page = await renderAudit(dataset, report);
    const document = parse(page);
    expect([...document.querySelectorAll('section')].map(({ id }) => id)).toEqual(
      report.findings.map(({ code }) => code),
    );
    const images = (code: string) => [...document.querySelectorAll(`#${code} img`)];
    expect(images('blank')).toHaveLength(2);
    expect(images('exact-duplicates')).toHaveLength(4);
    // Both images, and both blends.
    expect(images('misaligned').map((image) => image.getAttribute('alt'))).toEqual([
      expect.stringMatching(/^P-[0-9a-f]+, a$/),
      expect.stringMatching(/^P-[0-9a-f]+, b$/),
      'a in red and b in cyan, as they lie',
      'a in red and b in cyan, as measured',
    ]);
    for (const image of images('misaligned'))
      expect(image.getAttribute('src')).toMatch(/^data:image\/jpeg;base64,\/9j/);
    // Of three pairs with an unreadable image, the mate is shown.
    expect(images('unreadable')).toHaveLength(3);
    expect([...document.querySelectorAll('#unreadable .none')]).toHaveLength(3);
  });

  it('tells neither ids nor subjects nor folders, and needs nothing from elsewhere', async () => {
    const page = await renderAudit(dataset, report);
    const { documentElement } = parse(page);
    for (const word of [folder, 'disputing', 'frame-1', 'a-third', 'patient-0'])
      expect(page, word).not.toContain(word);
    expect(documentElement.querySelectorAll('script, link, iframe')).toHaveLength(0);
    expect(page).toContain('shows images of the data');
  });

  it('names samples, or leaves out the pictures, when asked', async () => {
    const named = await renderAudit(dataset, report, { keepIds: true, images: false });
    expect(named).toContain('disputing');
    expect(named).not.toContain(folder);
    expect(named).not.toContain('<img');
    expect(named).toContain('shows no images');
  });

  it('shows at most 24 of a kind and escapes what the data brings', async () => {
    const black = raster(40, 40, () => 0);
    const many = drawnDataset([
      ...Array.from({ length: 30 }, (_, i) => ({ id: `<b>${i}`, images: { '<i>': black } })),
      { images: { '<i>': spots('1', 64) } },
    ]);
    const document = parse(await renderAudit(many, await auditDataset(many)));
    expect(document.querySelectorAll('#blank img')).toHaveLength(24);
    expect(document.querySelector('#blank .notes')!.textContent).toBe('… and 6 more');
    expect(document.querySelectorAll('main i, #blank li b b')).toHaveLength(0);
    // They are synthetic, so they keep their names.
    expect(document.querySelector('#blank li b')!.textContent).toBe('<b>0');
  });
});

/** The share of the light of a blend in which its red and its cyan differ. */
async function difference(jpeg: Uint8Array): Promise<number> {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
  let [apart, all] = [0, 0];
  for (let y = 16; y < info.height - 16; y += 1) {
    for (let x = 16; x < info.width - 16; x += 1) {
      const [red, green] = [data[3 * (y * info.width + x)]!, data[3 * (y * info.width + x) + 1]!];
      apart += Math.abs(red - green);
      all += red + green;
    }
  }
  return apart / all;
}

it.each([
  { width: 90, height: 60 },
  { width: 48, height: 64 },
])('a blend of %o as measured lies on itself, and as it lies does not', async (size) => {
  const whole = spots('blend', 96);
  const image = raster(size.width, size.height, (x, y) => whole.data[y * 96 + x]!);
  const motion = { right: 4, down: -3, degrees: 8, scale: 1.05, mirrored: false };
  const two = drawnDataset([{ images: { a: image, b: lying(image, similarity(motion, size)) } }]);
  const placement = { ...motion, against: 'a', uncertainty: 0.5 };
  const blends = await blendsOf(two, two.samples[0]!, 'b', placement);
  expect(blends.map(({ name }) => name)).toEqual(['as they lie', 'as measured']);
  const [before, after] = await Promise.all(blends.map(({ jpeg }) => difference(jpeg)));
  expect(after).toBeLessThan(before! / 3);
});

it('of a pair that cannot be read there is no blend', async () => {
  const image = spots('1', 40);
  const { samples, ...rest } = drawnDataset([{ images: { a: image, b: image } }]);
  const broken = {
    ...samples[0]!,
    images: { ...samples[0]!.images, b: { kind: 'file', path: '/nowhere.png' } },
  } as const;
  const placement = {
    right: 0,
    down: 0,
    degrees: 0,
    scale: 1,
    mirrored: false,
    against: 'a',
    uncertainty: 0,
  };
  expect(await blendsOf({ ...rest, samples: [broken] }, broken, 'b', placement)).toEqual([]);
});

describe('of samples that lack images', () => {
  let gapped: AuditReport;
  let data: Dataset;
  beforeAll(async () => {
    const image = (key: string) => spots(key, 48);
    const black = raster(48, 48, () => 0);
    data = withGaps(
      drawnDataset(
        Array.from({ length: 5 }, (_, i) => ({
          images: { a: image(`a ${i}`), b: i === 1 ? black : image(`b ${i}`), c: image(`c ${i}`) },
        })),
      ),
      (i, modality) => (modality === 'c' ? i < 3 : modality === 'b' && i === 4),
    );
    gapped = await auditDataset(data);
  });

  it('the page tells the images and the missing ones of each modality and each combination', async () => {
    const document = parse(await renderAudit(data, gapped));
    const tables = [...document.querySelectorAll('table')].map((table) =>
      [...table.querySelectorAll('tbody tr')].map((row) =>
        [...row.querySelectorAll('th, td')].map((cell) => cell.textContent),
      ),
    );
    expect(tables).toEqual([
      [
        ['a', '5', '0', '0'],
        ['b', '4', '1', '1'],
        ['c', '2', '3', '3'],
      ],
      [
        ['a and b', '●', '●', '–', '3', '3'],
        ['all of a, b, c', '●', '●', '●', '1', '1'],
        ['a and c', '●', '–', '●', '1', '1'],
      ],
    ]);
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('a gap beside an offender is called missing, and not an image that cannot be shown', async () => {
    const document = parse(await renderAudit(data, gapped));
    expect(document.querySelectorAll('#blank img')).toHaveLength(2);
    expect([...document.querySelectorAll('#blank .none')].map((one) => one.textContent)).toEqual(['missing']);
  });

  it('the summary counts them', () => {
    const text = auditText(gapped);
    expect(text).toMatch(/missing +b in 1 of 5 samples \(1 subject\), c in 3 of 5 samples \(3 subjects\)\n/);
    expect(text).toMatch(/samples with +a and b: 3 of 3 subjects\n/);
    expect(text).toMatch(/data +drawn: 5 samples of 5 subjects\n/);
  });
});

it('pairs that are all alike are a bar that can be seen', () => {
  const [own] = report.suitability;
  const advantages = Array.from({ length: 40 }, (_, i) => 0.95 + 0.0001 * i);
  const [figure] = auditFigures({ ...report, alignment: [], suitability: [{ ...own!, advantages }] });
  const widths = [...parse(figure!.svg).querySelectorAll('rect')].map((bar) =>
    Number(bar.getAttribute('width')),
  );
  expect(Math.max(...widths)).toBeGreaterThan(5);
});

it('a page of complete data has no table of missing images', async () => {
  expect(parse(await renderAudit(dataset, report)).querySelectorAll('table')).toHaveLength(0);
});

it('the summary names the first places of each finding and counts the rest', () => {
  const text = auditText(report);
  expect(text).toMatch(
    /error: Images that cannot be read \(3\)\n {2}truncated \(a\): .*truncated-a\.png: cannot be decoded/,
  );
  expect(text).toContain('disputed = disputing (a, b): 2 samples; classes benign, malignant');
  expect(text).toMatch(/\n8 errors, \d+ warnings, \d+ notes\n$/);
  const published = { name: 'Study', counts: { benign: 40, malignant: 20 }, subjects: 50, notes: [] };
  const beside = auditText({ ...report, published });
  expect(beside).toContain('(Study as published: 60 of 50 subjects)');
  expect(beside).toMatch(/benign \d+ \(published 40\)/);
});

it('the summary tells what is wrong with a sample where the data names it', async () => {
  const faults = [{ kind: 'bad-row', id: 'row', message: 'pairs.csv:5: "row" has no subject' }] as const;
  const images = { a: spots('1', 40) };
  const text = auditText(await auditDataset(drawnDataset([{ images }]), { faults }));
  expect(text).toContain('row: pairs.csv:5: "row" has no subject\n');
});
