import * as Plot from '@observablehq/plot';
import { heading, shortSource } from '../../evaluation/results/names.js';
import type { NamedPairs, PairsResult, Point } from '../../evaluation/results/pairsResult.js';
import { escapeText } from '../../text/markup.js';
import { fixed } from '../../text/numbers.js';
import { type Figure, renderPlot } from './figure.js';

export type ProjectionKind = PairsResult['projections'][number]['kind'];

const names: Readonly<Record<ProjectionKind, string>> = { pca: 'PCA', tsne: 't-SNE', umap: 'UMAP' };

// The blue and the vermilion of Okabe and Ito differ for any colour vision; the shapes differ as well.
const COLOURS = { a: '#0f7bbf', b: '#d55e00' } as const;
const PANEL = 225;
const HEIGHT = 280;
/** The number of panels in a figure. Two are readable on a telephone, and further figures wrap. */
const PANELS = 2;

interface Panel {
  readonly name: string;
  readonly a: readonly Dot[];
  readonly b: readonly Dot[];
  readonly distance: number | null;
}

interface Dot {
  readonly panel: string;
  readonly x: number;
  readonly y: number;
  readonly modality: 'a' | 'b';
}

/**
 * Draws Fig. 4 of the paper: the embeddings of both modalities in the plane, with a line between mates. There is a
 * panel for the untrained encoder first, and then one for each run. The list is empty where no result has such a
 * projection.
 */
export function projectionFigures(results: readonly NamedPairs[], kind: ProjectionKind): Figure[] {
  const panels = [
    ...results
      .slice(0, 1)
      .flatMap(({ record }) => panelOf(heading(shortSource('untrained')), record, kind, 'untrained')),
    ...results.flatMap(({ name, record }) => panelOf(name, record, kind, 'run')),
  ];
  const [first] = results;
  if (first === undefined || panels.length === 0) return [];
  const [nameA, nameB] = first.record.data.modalities;
  const groups = Array.from({ length: Math.ceil(panels.length / PANELS) }, (_, g) =>
    panels.slice(g * PANELS, (g + 1) * PANELS),
  );
  return groups.map((group, g) => {
    const title = `Fig. 4: pairs in the plane, ${names[kind]}${groups.length === 1 ? '' : ` (${g + 1} of ${groups.length})`}`;
    const said = group.map(
      ({ name, a, distance }) =>
        `${name}: ${a.length} pairs, distance of mates ÷ of strangers ${fixed(distance)}`,
    );
    const alt = `${title}. ${nameA} and ${nameB} of each pair, joined by a line. ${said.join('; ')}.`;
    return {
      id: `projection-${kind}-${g + 1}`,
      title,
      alt,
      reading: readingOf(kind, nameA, nameB),
      svg: draw(group, [nameA, nameB], alt, groups.length === 1 ? group.length : PANELS),
    };
  });
}

function panelOf(
  name: string,
  { projections, measures }: PairsResult,
  kind: ProjectionKind,
  source: 'run' | 'untrained',
): Panel[] {
  const found = projections.find((one) => one.kind === kind && one.source === source);
  if (found === undefined) return [];
  const measure = measures.find(({ key }) => key === `distance/${source}/head`);
  const centred = unitSquare([...found.a, ...found.b]);
  const dots = (points: readonly Point[], modality: 'a' | 'b'): Dot[] =>
    points.map((point) => ({ panel: name, ...centred(point), modality }));
  return [
    { name, a: dots(found.a, 'a'), b: dots(found.b, 'b'), distance: measure?.againstChance.value ?? null },
  ];
}

/** Scales the points so that every panel is filled. The units of the plane mean nothing, but its proportions do. */
function unitSquare(points: readonly Point[]): (point: Point) => { x: number; y: number } {
  const range = (axis: 0 | 1): [number, number] => {
    const values = points.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  };
  const [[left, right], [bottom, top]] = [range(0), range(1)];
  const side = Math.max(right - left, top - bottom) || 1;
  const middle = [(left + right) / 2, (bottom + top) / 2] as const;
  return ([x, y]) => ({ x: (2 * (x - middle[0])) / side, y: (2 * (y - middle[1])) / side });
}

function readingOf(kind: ProjectionKind, a: string, b: string): string {
  const caution =
    kind === 'pca'
      ? 'The two directions of largest spread; distances are true as far as two dimensions hold them.'
      : 'It keeps neighbours together; distances between far groups and their sizes mean nothing.';
  return (
    `Each blue circle is an image of ${a}, each orange triangle one of ${b}, by the head’s embedding; a line joins the two of a pair. ` +
    `Short lines are mates that lie together; two clouds apart are modalities that the encoder tells apart. ${caution}`
  );
}

function draw(
  panels: readonly Panel[],
  names: readonly [string, string],
  alt: string,
  across: number,
): string {
  const lines = panels.flatMap(({ a, b }) =>
    a.map((dot, i) => ({ panel: dot.panel, x1: dot.x, y1: dot.y, x2: b[i]!.x, y2: b[i]!.y })),
  );
  const order = panels.map(({ name }) => name);
  const dots = (modality: 'a' | 'b', symbol: Plot.SymbolType) =>
    Plot.dot(
      panels.flatMap((panel) => panel[modality]),
      { fx: 'panel', x: 'x', y: 'y', symbol, r: 2.6, stroke: COLOURS[modality], strokeWidth: 1.2 },
    );
  const svg = renderPlot(
    {
      // A last panel that stands alone is as large as the panels before it.
      width: 10 + PANEL * across,
      height: HEIGHT,
      marginTop: 34,
      marginBottom: 24,
      marginLeft: 5,
      marginRight: 5 + PANEL * (across - panels.length),
      fx: { domain: order, label: null, padding: 0.04, axis: 'top' },
      x: { domain: [-1.06, 1.06], axis: null },
      y: { domain: [-1.06, 1.06], axis: null },
      marks: [
        Plot.frame({ strokeOpacity: 0.25 }),
        Plot.link(lines, {
          fx: 'panel',
          x1: 'x1',
          y1: 'y1',
          x2: 'x2',
          y2: 'y2',
          strokeOpacity: 0.25,
          strokeWidth: 0.8,
        }),
        dots('a', 'circle'),
        dots('b', 'triangle'),
      ],
    },
    alt,
  );
  return svg.replace(/<\/svg>$/, `${legend(names)}</svg>`);
}

/** The two symbols with the names of the modalities, below the panels. */
function legend([a, b]: readonly [string, string]): string {
  const y = HEIGHT - 12;
  const second = 34 + 8 * a.length;
  const text = (x: number, name: string) =>
    `<text x="${x}" y="${y + 4}" stroke="none" fill="currentColor">${escapeText(name)}</text>`;
  return (
    `<g aria-hidden="true" fill="none" stroke-width="1.4"><circle cx="12" cy="${y}" r="3.6" stroke="${COLOURS.a}"/>${text(20, a)}` +
    `<path d="M${second} ${y - 4}l4 7.2h-8z" stroke="${COLOURS.b}"/>${text(second + 9, b)}</g>`
  );
}
