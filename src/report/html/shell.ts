/**
 * The room `report/html` has what all pages share. This file is their frame: one HTML file that carries all it shows,
 * runs no script and loads nothing from the network.
 */
import { type Content, html, trusted } from '../../text/markup.js';
import { pageStyle } from './pageStyle.js';

/** The mark by which a report is told from any other page. */
export const GENERATOR = 'anatomy-ssl report';

export interface Shell {
  readonly title: string;
  readonly lead: Content;
  /** Banners below the lead. */
  readonly head?: Content;
  readonly main: Content;
  readonly footer: Content;
  /** The command that made the page, if it is no report. */
  readonly generator?: string;
  /** Rules beside those that all pages share. */
  readonly style?: string;
}

export function shell({ title, lead, head, main, footer, generator = GENERATOR, style = '' }: Shell): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${generator}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${title}</title>
<style>${trusted(pageStyle + style)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="lead">${lead}</p>
${head}
</header>
<main>
${main}
</main>
<footer>${footer}</footer>
</body>
</html>
`.toString();
}
