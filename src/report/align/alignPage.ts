/** The room `report/align` shows what `anatomy data align` decided of each pair. */
import { readPair, type WorkingPair } from '../../data/align/readPair.js';
import { REFERENCE_SIDE } from '../../data/align/search.js';
import {
  type Affine,
  compose,
  distances,
  IDENTITY,
  invert,
  motionOf,
} from '../../data/align/transformation.js';
import type { AlignedImage, Alignment } from '../../data/open/alignment.js';
import type { Dataset } from '../../data/sample.js';
import { DataError } from '../../errors.js';
import { html, type Markup } from '../../text/markup.js';
import { counted, fixed, numbered, signed } from '../../text/numbers.js';
import { packageVersion } from '../../version.js';
import { shell } from '../html/shell.js';
import { checkerboard } from './checkerboard.js';

/** The most pairs of a decision that are pictured. */
const PICTURED = 40;

const style = `
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); gap: 24px; margin: 16px 0; padding: 0; list-style: none; max-width: none; }
.pairs > li { margin: 0; min-width: 0; font-size: 14px; overflow-wrap: anywhere; }
.shown { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; margin: 4px 0; }
.shown img { display: block; width: 100%; height: auto; background: #000; border-radius: 3px; }
.shown figcaption { font-size: 12px; margin: 0; }
td, th { white-space: nowrap; } td:last-child { white-space: normal; min-width: 220px; }
`;

/** Counts the decisions, as in `12 moved, 3 kept, 1 refused`. */
export function decisionCounts({
  images,
}: Pick<Alignment, 'images'>): Record<AlignedImage['decision'], number> {
  const counts = { moved: 0, kept: 0, refused: 0 };
  for (const { decision } of images) counts[decision] += 1;
  return counts;
}

/** Makes the page as HTML, which runs no script and loads nothing. It shows images and ids, for the owner of the data. */
export async function alignPage(dataset: Dataset, alignment: Alignment): Promise<string> {
  const { images, reference, kind, gate, tool, metric } = alignment;
  const { moved, kept, refused } = decisionCounts(alignment);
  const title = `Alignment of ${dataset.name}`;
  const section = async (decision: AlignedImage['decision'], heading: string, words: string) => {
    const all = worstFirst(images.filter((image) => image.decision === decision));
    if (all.length === 0) return '';
    const items: Markup[] = [];
    for (const image of all.slice(0, PICTURED)) items.push(await item(dataset, alignment, image));
    return html`<h2>${heading} (${counted(all.length)})</h2>
<p>${words}${all.length > PICTURED ? ` The first ${PICTURED} are shown.` : ''}</p>
<ul class="pairs">${items}</ul>
`;
  };
  return shell({
    title,
    lead: html`${numbered(images.length, 'image')} registered to ${reference}: ${counted(moved)} moved, ${counted(kept)} kept, ${counted(refused)} refused`,
    head: html`<p class="banner" role="note">This page shows images and ids of the data. It is for those who may see these.</p>`,
    main: html`<p>Each image was registered to its mate by a ${kind} transformation (${tool}, ${metric}) from several starts, there and back. A registration is believed if the way there and the way back differ by less than ${fixed(gate, 2)} px on average, and if the two images share clearly more under it than anywhere else. Pixels are those of a picture whose longer side is 224. The fields of a checkerboard show one image and the other by turns: where a pair lies well, edges go on from field to field.</p>
${await section('refused', 'Refused', 'These pairs stay as they are. Look whether the two images belong together; refused.csv leaves them out of a run.')}
${await section('moved', 'Moved', 'The largest movement comes first.')}
${await section('kept', 'Kept', 'Nothing better was found than how these pairs lie. That does not prove that they are aligned: look at them.')}
<h2>All decisions</h2>
<div class="scroll" tabindex="0" role="region" aria-label="All decisions"><table>
<thead><tr><th scope="col">sample</th><th scope="col">image</th><th scope="col">decision</th><th scope="col" class="number">right</th><th scope="col" class="number">down</th><th scope="col" class="number">turn</th><th scope="col" class="number">scale</th><th scope="col" class="number">there and back</th><th scope="col" class="number">shared before</th><th scope="col" class="number">after</th><th scope="col">reason</th></tr></thead>
<tbody>${images.map(row)}</tbody></table></div>`,
    footer: html`Made by anatomy-ssl ${packageVersion()}. For research; not a medical device.`,
    generator: 'anatomy-ssl data align',
    style,
  });
}

function row(image: AlignedImage): Markup {
  const { id, modality, decision, reason, inconsistency, before, after, of } = image;
  const motion = ownFrame(image);
  const number = (text: string) => html`<td class="number">${text}</td>`;
  const cells =
    motion && of
      ? [
          `${signed(motion.right, 1)} px`,
          `${signed(motion.down, 1)} px`,
          `${signed(motion.degrees, 1)}°`,
          `× ${fixed(motion.scale, 3)}`,
        ]
      : ['–', '–', '–', '–'];
  return html`<tr><th scope="row">${id}</th><td>${modality}</td><td>${decision}</td>${[
    ...cells,
    inconsistency === undefined ? '–' : `${fixed(inconsistency, 2)} px`,
    before === undefined ? '–' : fixed(before, 3),
    after === undefined ? '–' : fixed(after, 3),
  ].map(number)}<td>${reason}</td></tr>
`;
}

/** What the transformation does beside stretching the image over the frame, in pixels of a picture of 224. */
function ownFrame({ transformation, frame, of }: AlignedImage) {
  if (!transformation || !frame || !of) return undefined;
  const motion = motionOf(compose(transformation, stretch(of, frame)), of);
  const scale = REFERENCE_SIDE / Math.max(of.width, of.height);
  return { ...motion, right: motion.right * scale, down: motion.down * scale };
}

/** Takes the points of one extent to those of another that both fill. */
function stretch(from: Extent, to: Extent): Affine {
  return [to.width / from.width, 0, 0, 0, to.height / from.height, 0];
}
type Extent = { readonly width: number; readonly height: number };

async function item(dataset: Dataset, { reference }: Alignment, image: AlignedImage): Promise<Markup> {
  const { id, modality, reason, transformation } = image;
  const sample = dataset.samples.find((one) => one.id === id)!;
  const shown: (readonly [string, Buffer])[] = [];
  try {
    if (image.frame !== undefined) {
      const pair = await readPair(dataset, sample, [reference, modality]);
      shown.push(['as they lie', await checkerboard(pair)]);
      if (transformation !== undefined) {
        const words = image.decision === 'moved' ? 'as registered' : 'as found, not used';
        shown.push([words, await checkerboard(pair, inWorkingPixels(transformation, pair))]);
      }
    }
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
  }
  return html`<li><b>${id}</b> ${modality}: ${reason}${
    shown.length === 0
      ? ''
      : html`<div class="shown">${shown.map(
          ([words, jpeg]) =>
            html`<figure><img alt="${id}, ${reference} and ${modality}, ${words}" src="data:image/jpeg;base64,${jpeg.toString('base64')}"><figcaption>${words}</figcaption></figure>`,
        )}</div>`
  }</li>
`;
}

function inWorkingPixels(transformation: Affine, { a, frame, of }: WorkingPair): Affine {
  return compose(stretch(of, a), compose(transformation, stretch(a, frame)));
}

/** By the largest displacement of a point, in shares of the picture; those of which none was found come first. */
function worstFirst(images: readonly AlignedImage[]): AlignedImage[] {
  const far = ({ transformation, frame, of }: AlignedImage) => {
    if (!transformation || !frame || !of) return Number.POSITIVE_INFINITY;
    const own = compose(invert(stretch(frame, of)), transformation);
    return Math.max(...distances(own, IDENTITY, frame)) / Math.max(frame.width, frame.height);
  };
  return [...images].sort((one, other) => far(other) - far(one));
}
