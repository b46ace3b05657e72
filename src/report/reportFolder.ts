/** The folder of a report, with `index.html` and `figures/`. A report replaces an older one and nothing else. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors.js';
import { refuseUnwritable, writeFileAtomic } from '../files.js';
import type { MessageConsole } from '../log/console.js';
import { canLetter, type Figure, standaloneSvg, svgToPng } from './figures/figure.js';
import { GENERATOR } from './html/shell.js';

export interface ReportFiles {
  readonly page: string;
  readonly figures: readonly string[];
  /** The results in sentences. */
  readonly summary: readonly string[];
}

/**
 * Checks that a report may be written here.
 *
 * @param flag the flag that names the folder
 * @throws UsageError where the folder holds something else, or where nothing can be written
 */
export function checkTarget(out: string, flag = '--out'): void {
  refuseUnwritable(out, flag);
  if (!existsSync(out) || readdirSync(out).length === 0) return;
  const file = join(out, 'index.html');
  if (existsSync(file) && readFileSync(file, 'utf8').includes(`content="${GENERATOR}"`)) return;
  // A report that was interrupted before its page was written has left its figures.
  if (readdirSync(out).every((name) => name === 'figures' || /^\..*\.tmp$/.test(name))) return;
  throw new UsageError(`${out} holds files but no report; choose another ${flag}`);
}

export interface ReportContent {
  readonly html: string;
  readonly figures: readonly Figure[];
  /** Further pictures by file name. */
  readonly pictures?: Readonly<Record<string, Uint8Array>>;
}

/** Writes each figure as SVG and PNG, then the page. @returns the paths */
export async function writeReportFolder(
  out: string,
  { html, figures, pictures = {} }: ReportContent,
  console: MessageConsole,
): Promise<Omit<ReportFiles, 'summary'>> {
  if (!(await canLetter())) {
    console.warn(
      'no font is installed, so the PNGs show boxes for letters (the page and the SVGs are right): apt-get install fontconfig-config',
    );
  }
  const folder = join(out, 'figures');
  // The pictures of an earlier report may be ones that must not be shown any more.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const written: string[] = [];
  const write = (name: string, data: string | Uint8Array): void => {
    writeFileAtomic(join(folder, name), data);
    written.push(join(folder, name));
  };
  for (const figure of figures) {
    const svg = standaloneSvg(figure);
    write(`${figure.id}.svg`, svg);
    write(`${figure.id}.png`, await svgToPng(svg));
  }
  for (const [name, data] of Object.entries(pictures)) write(name, data);
  const page = join(out, 'index.html');
  writeFileAtomic(page, html);
  return { page, figures: written };
}
