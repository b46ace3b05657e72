/** Observable Plot without a browser: a figure's options in, SVG and PNG out. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import sharp from 'sharp';
import { escapeText } from '../../text/markup.js';

/** What a reader sees, with the words that make it readable to all. */
export interface Figure {
  /** File name without extension, unique in a report. */
  readonly id: string;
  readonly title: string;
  /** Says in words what the picture shows, with its main numbers. */
  readonly alt: string;
  /** How to read it. */
  readonly reading: string;
  /** An `<svg>` element to stand in HTML; it takes the text colour of its surroundings. */
  readonly svg: string;
}

/** Around letters that stand on lines: the colour of what is behind, so that they stay legible. */
export const HALO = { fill: 'currentColor', stroke: 'var(--paper, #ffffff)', strokeWidth: 4 } as const;

const FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

/** Renders to an `<svg>` element that is one image, described by `alt`, to a screen reader. */
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
  return wellFormed(svg.outerHTML);
}

/** As XML too: linkedom writes only the quotes of an attribute in a way that XML reads. */
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

/** The same figure as a file of its own: black on white, whatever shows it. */
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

/** @param scale pixels of the PNG for one of the SVG */
export function svgToPng(svg: string, scale = 2): Promise<Buffer> {
  return sharp(Buffer.from(svg), { density: 72 * scale })
    .png()
    .toBuffer();
}

let fonts: Promise<boolean> | undefined;

/** Whether letters come out in PNGs: bare systems have no font, and then every letter looks the same. */
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
