/** The frame of every report: one HTML file that carries all it shows, runs nothing and asks nothing of the network. */
import { type Content, html, trusted } from '../../text/markup.js';
import { pageStyle } from './pageStyle.js';

/** Tells a report from a page of somebody else’s. */
export const GENERATOR = 'anatomy-ssl report';

export interface Shell {
  readonly title: string;
  readonly lead: Content;
  /** Below the lead: banners. */
  readonly head?: Content;
  readonly main: Content;
  readonly footer: Content;
}

export function shell({ title, lead, head, main, footer }: Shell): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${GENERATOR}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${title}</title>
<style>${trusted(pageStyle)}</style>
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
