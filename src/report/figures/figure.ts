/**
 * The room `report/figures` draws every picture of the reports. This file runs Observable Plot without a browser: it
 * turns the options of a figure into SVG and PNG.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import sharp from 'sharp';
import { escapeText, printable } from '../../text/markup.js';

/** A picture, with the words that make it readable to everyone. */
export interface Figure {
  /** The file name without extension, unique in a report. */
  readonly id: string;
  readonly title: string;
  /** The alternative text: it says in words what the picture shows, with its main numbers. */
  readonly alt: string;
  /** A sentence on how to read the figure. */
  readonly reading: string;
  /** An `<svg>` element for an HTML page; it takes the text colour of its surroundings. */
  readonly svg: string;
}

/** An outline for letters that stand on lines. It has the colour of the background and keeps the letters legible. */
export const HALO = { fill: 'currentColor', stroke: 'var(--paper, #ffffff)', strokeWidth: 4 } as const;

const FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

/** Renders to an `<svg>` element that a screen reader takes as one image, described by `alt`. */
export function renderPlot(options: Plot.PlotOptions, alt: string): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({
    ...options,
    document,
    className: 'plot',
    style: { fontFamily: FONT, fontSize: '11px' },
  });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', alt);
  return wellFormed(printable(svg.outerHTML));
}

/** Makes the SVG valid XML. linkedom writes only the quotes of an attribute in a way that XML can read. */
function wellFormed(svg: string): string {
  return svg.replace(/<[a-z][\w:-]*(?:\s+[\w:-]+="[^"]*")+/gi, (tag) =>
    tag.replace(
      /="([^"]*)"/g,
      (_, value: string) =>
        `="${value
          .replace(/&(?!quot;)/g, '&amp;')
          .replaceAll('<', '&lt;')
          .replaceAll('>', '&gt;')}"`,
    ),
  );
}

/** The same figure as a file of its own, in black on white on every background. */
export function standaloneSvg({ svg, title, alt }: Pick<Figure, 'svg' | 'title' | 'alt'>): string {
  const opening = `<svg xmlns="http://www.w3.org/2000/svg" color="#1a1d21"`;
  const words = `<title>${escapeText(title)}</title><desc>${escapeText(alt)}</desc>`;
  const paper = '<rect width="100%" height="100%" fill="#ffffff"/>';
  const body = svg
    .replaceAll('var(--paper, #ffffff)', '#ffffff')
    .replace(/^<svg/, opening)
    .replace(/^(<svg[^>]*>)/, `$1${words}${paper}`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body}\n`;
}

/** Renders an SVG as PNG. @param scale the number of pixels of the PNG for one pixel of the SVG */
export function svgToPng(svg: string, scale = 2): Promise<Buffer> {
  return sharp(Buffer.from(svg), { density: 72 * scale })
    .png()
    .toBuffer();
}

let fonts: Promise<boolean> | undefined;

/** Tells whether letters can be rendered in PNGs. A bare system has no font, and then all letters look the same. */
export function canLetter(): Promise<boolean> {
  fonts ??= (async () => {
    const [wide, narrow] = await Promise.all(
      ['W', 'i'].map((letter) =>
        sharp(
          Buffer.from(
            `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><text x="4" y="30" font-size="30" font-family="sans-serif">${letter}</text></svg>`,
          ),
        )
          .raw()
          .toBuffer(),
      ),
    );
    return !wide!.equals(narrow!);
  })();
  return fonts;
}
