import * as Plot from '@observablehq/plot';
import { heading, imagesName, shortSource } from '../../evaluation/results/names.js';
import type { NamedPairs, PairsResult } from '../../evaluation/results/pairsResult.js';
import { escapeText } from '../../text/markup.js';
import { fixed } from '../../text/numbers.js';
import { type Figure, renderPlot } from './figure.js';

type Example = PairsResult['examples'][number];
type SimilarityMap = Example['anchors'][number]['maps'][number];

export interface SimilarityFigureOptions {
  /** The number of the feature map, 1 … 4. */
  readonly map: number;
  /**
   * The images A and B of each example as data URIs, by the example's position in the data. Without them the figure
   * shows no images.
   */
  readonly images?: ReadonlyMap<number, { readonly a: string; readonly b: string }>;
}

const PANEL = 100;
const MARGIN = { top: 40, right: 8, bottom: 46 };
/** The width of a letter in the name of a row, in pixels. */
const LETTER = 6.4;
/** The key of the row with the images themselves. All other rows show the similarities of one encoder each. */
const IMAGES = 'images';

interface Cell {
  readonly column: string;
  readonly row: string;
  /** The corners of the cell, from 0 at the top left to 1. */
  readonly x1: number;
  readonly x2: number;
  readonly y1: number;
  readonly y2: number;
  readonly value: number;
}

/**
 * Draws Fig. 5 of the paper, with a figure for each example pair. It shows how similar every patch of A and of B is to
 * the anchor patch, which is framed. There is a row for the untrained encoder and for each run, and columns A and B for
 * each anchor. All panels share one colour scale.
 */
export function similarityFigures(
  results: readonly NamedPairs[],
  { map, images }: SimilarityFigureOptions,
): Figure[] {
  const [first] = results;
  if (first === undefined) return [];
  const [nameA, nameB] = first.record.data.modalities.map(imagesName);
  return first.record.examples.flatMap((example, number) => {
    const rows = rowsOf(results, example, map);
    if (rows.length === 0) return [];
    const title = `Fig. 5: where patches are alike, map ${map}, example ${number + 1}`;
    const said = rows.map(
      ({ name, maps }) =>
        `${name}: ${maps
          .map(correlationOf)
          .map((r) => fixed(r, 2))
          .join(' and ')}`,
    );
    const places = example.anchors.map(({ rule }) => rules[rule]);
    const alt =
      `${title}. Similarity of all patches to an anchor ${places.join(' and ')}, in ${nameA} and in ${nameB}. ` +
      `Correlation of the two maps, by anchor: ${said.join('; ')}.`;
    const shown = images?.get(example.position);
    const svg = draw({ rows, example, names: [nameA!, nameB!], images: shown, alt });
    return [
      {
        id: `similarity-map${map}-${number + 1}`,
        title,
        alt,
        reading: readingOf(places, [nameA!, nameB!]),
        svg,
      },
    ];
  });
}

const rules = {
  lesion: 'at the lesion',
  centre: 'near the centre',
  elsewhere: 'elsewhere',
} as const;

/** How to read the figure. @param places where each anchor lies */
function readingOf(places: readonly string[], [a, b]: readonly [string, string]): string {
  const framed =
    places.length === 1
      ? `The framed patch lies ${places[0]}`
      : `The patch framed in ${places.map((place, i) => `${a} · ${i + 1} and ${b} · ${i + 1} lies ${place}`).join(', that in ')}`;
  return (
    'Bright patches are like the framed one, dark ones unlike it, by the features of this map. Where the method works, the map of the ' +
    `second modality looks like that of the first: the same anatomy stands out in both. ${framed}; one colour scale serves all panels.`
  );
}

interface Row {
  readonly name: string;
  /** One map for each anchor. */
  readonly maps: readonly SimilarityMap[];
}

/** The rows of all results that show the same pair, which is known by its position in the data. */
function rowsOf(results: readonly NamedPairs[], { position }: Example, map: number): Row[] {
  const rowOf = ({ name, record }: NamedPairs, source: SimilarityMap['source']): Row[] => {
    const anchors = record.examples.find((example) => example.position === position)?.anchors ?? [];
    const maps = anchors.flatMap((anchor) =>
      anchor.maps.filter((one) => one.map === map && one.source === source),
    );
    return maps.length === 0 ? [] : [{ name, maps }];
  };
  const untrained = results
    .slice(0, 1)
    .flatMap((result) => rowOf({ ...result, name: heading(shortSource('untrained')) }, 'untrained'));
  return [...untrained, ...results.flatMap((result) => rowOf(result, 'run'))];
}

/**
 * Pearson's correlation of A's and B's similarities, over all patches but the anchor. It goes into the alternative
 * text.
 */
function correlationOf({ a, b, anchor }: SimilarityMap): number {
  const others = a.flatMap((value, i) => (i === anchor ? [] : [[value, b[i]!] as const]));
  const mean = (side: 0 | 1) => others.reduce((sum, pair) => sum + pair[side], 0) / others.length;
  const [meanA, meanB] = [mean(0), mean(1)];
  let [together, squaresA, squaresB] = [0, 0, 0];
  for (const [x, y] of others) {
    together += (x - meanA) * (y - meanB);
    squaresA += (x - meanA) ** 2;
    squaresB += (y - meanB) ** 2;
  }
  return together / Math.sqrt(squaresA * squaresB);
}

interface Drawing {
  readonly rows: readonly Row[];
  readonly example: Example;
  readonly names: readonly [string, string];
  readonly images: { readonly a: string; readonly b: string } | undefined;
  readonly alt: string;
}

function draw({ rows, example, names, images, alt }: Drawing): string {
  const sides = ['a', 'b'] as const;
  const columnOf = (anchor: number, side: number): string =>
    example.anchors.length === 1 ? names[side]! : `${names[side]} · ${anchor + 1}`;
  const columns = example.anchors.flatMap((_, anchor) => sides.map((_, side) => columnOf(anchor, side)));
  const shownRows = [...(images === undefined ? [] : [IMAGES]), ...rows.map(({ name }) => name)];
  const cells: Cell[] = [];
  const frames: Cell[] = [];
  for (const { name, maps } of rows) {
    maps.forEach(({ grid, anchor: patch, ...map }, anchor) => {
      sides.forEach((side, s) => {
        const own = map[side].map((value, i) => cellOf(i, grid, value, columnOf(anchor, s), name));
        cells.push(...own);
        frames.push(own[patch]!);
      });
    });
  }
  const pictures =
    images === undefined
      ? []
      : example.anchors.flatMap((_, anchor) =>
          sides.map((side, s) => ({
            column: columnOf(anchor, s),
            row: IMAGES,
            source: images[side],
            x: 0.5,
            y: 0.5,
          })),
        );
  // The images show the anchor where the grid of the first row has it.
  const onImages = frames.slice(0, columns.length).map((frame) => ({ ...frame, row: IMAGES }));
  const framed = images === undefined ? frames : [...frames, ...onImages];
  const values = cells.map(({ value }) => value);
  const domain: [number, number] = [Math.min(...values), 1];
  const box = { fx: 'column', fy: 'row', x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2', inset: 0 } as const;
  const left = 22 + LETTER * Math.max(...shownRows.map((row) => row.length));
  const width = left + MARGIN.right + PANEL * columns.length;
  const height = MARGIN.top + MARGIN.bottom + PANEL * shownRows.length;
  const svg = renderPlot(
    {
      width,
      height,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: left,
      fx: { domain: columns, label: null, axis: 'top', padding: 0.05 },
      fy: { domain: shownRows, label: null, axis: 'left', padding: 0.05 },
      x: { domain: [0, 1], axis: null },
      y: { domain: [1, 0], axis: null },
      // Viridis changes in lightness as evenly as in colour, so it is readable with any colour vision and in gray.
      color: { scheme: 'viridis', domain },
      marks: [
        Plot.image(pictures, { fx: 'column', fy: 'row', x: 'x', y: 'y', src: 'source', width: PANEL - 5 }),
        Plot.rect(cells, { ...box, fill: 'value', shapeRendering: 'crispEdges' }),
        // A white frame over a black one can be seen on any colour of the scale.
        Plot.rect(framed, { ...box, stroke: '#000000', strokeWidth: 3 }),
        Plot.rect(framed, { ...box, stroke: '#ffffff', strokeWidth: 1.3 }),
      ],
    },
    alt,
  );
  // Hundreds of cells with 15 digits each would be most of a page.
  const short = svg.replace(/\d+\.\d{3,}/g, (digits) => String(Number(Number(digits).toFixed(2))));
  const scale = legend(domain, { left: left + 34, top: height - MARGIN.bottom + 12 });
  return short.replace(/<\/svg>$/, `${scale}</svg>`);
}

function cellOf(i: number, grid: number, value: number, column: string, row: string): Cell {
  const [x, y] = [i % grid, Math.floor(i / grid)];
  return { column, row, x1: x / grid, x2: (x + 1) / grid, y1: y / grid, y2: (y + 1) / grid, value };
}

/** Draws a ramp of the colours with the values at its ends. */
function legend(
  [low, high]: readonly [number, number],
  { left, top }: { left: number; top: number },
): string {
  const scale = Plot.scale({ color: { scheme: 'viridis', domain: [0, 1] } });
  const steps = 24;
  const length = 120;
  const ramp = Array.from({ length: steps }, (_, i) => {
    const x = left + (i * length) / steps;
    return `<rect x="${x.toFixed(2)}" y="${top}" width="${(length / steps + 0.4).toFixed(2)}" height="9" fill="${scale.apply(i / (steps - 1))}"/>`;
  });
  const label = (x: number, text: string, anchor: string, y = top + 8) =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="currentColor">${escapeText(text)}</text>`;
  return (
    `<g aria-hidden="true" stroke="none">${ramp.join('')}` +
    label(left - 6, fixed(low, 2), 'end') +
    label(left + length + 6, fixed(high, 2), 'start') +
    `${label(left + length / 2, 'cosine with the framed patch', 'middle', top + 24)}</g>`
  );
}
