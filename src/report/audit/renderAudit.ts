/**
 * The room `report/audit` shows the audit of a data set. This file makes the page of `anatomy data check --report`,
 * with thumbnails of the findings.
 */
import type { AuditReport } from '../../data/audit/audit.js';
import type { Finding, FindingItem } from '../../data/audit/finding.js';
import { hasImage } from '../../data/presence.js';
import { pseudonym } from '../../data/pseudonym.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { thumbnails } from '../source/thumbnails.js';
import { auditFigures } from './auditFigures.js';
import { auditPage, type SamplePicture, type ShownItem } from './auditPage.js';
import { NAMED } from './auditText.js';
import { blendsOf } from './blends.js';

export interface AuditPageOptions {
  /** Whether samples keep the names that they have in the data. By default they get pseudonyms. */
  readonly keepIds?: boolean;
  /** Whether the page shows images. Without them it has numbers only. */
  readonly images?: boolean;
}

/** The largest number of items of a finding that the page shows. */
const SHOWN = 24;

/**
 * Makes the page as HTML. It is made for the owner of the data, so it shows the findings. In place of ids it tells
 * keyed hashes, except for phantoms or when asked.
 */
export async function renderAudit(
  dataset: Dataset,
  report: AuditReport,
  { keepIds = false, images = true }: AuditPageOptions = {},
): Promise<string> {
  const phantom = dataset.samples.every((sample) =>
    Object.values(sample.images).every(({ kind }) => kind === 'generated'),
  );
  const byId = new Map(dataset.samples.map((sample) => [sample.id, sample]));
  const nameOf = (id: string) => (keepIds || phantom ? id : pseudonym('sample', id, report.contentHash));
  const show = async (item: FindingItem): Promise<ShownItem> => ({
    samples: await Promise.all(
      item.ids.slice(0, NAMED).map(async (id) => {
        const sample = byId.get(id);
        return {
          name: nameOf(id),
          pictures: images && sample !== undefined ? await picturesOf(dataset, sample) : [],
        };
      }),
    ),
    more: Math.max(0, item.ids.length - NAMED),
    detail: [item.modality, item.detail].filter(Boolean).join(': '),
    ...(images && (await blendsOfItem(dataset, byId.get(item.ids[0]!), item))),
  });
  const findings = [];
  for (const finding of report.findings) {
    findings.push({ finding, items: await inTurn(finding, show) });
  }
  return auditPage({
    report,
    findings,
    figures: auditFigures(report),
    privacy: privacy({ phantom, images: findings.some(isPictured), keepIds }),
  });
}

/** Lays the images of an item on each other, of items that tell how a pair lies. */
async function blendsOfItem(
  dataset: Dataset,
  sample: Sample | undefined,
  { modality, placement }: FindingItem,
): Promise<Pick<ShownItem, 'blends'>> {
  if (sample === undefined || modality === undefined || placement === undefined) return {};
  const pictures = await blendsOf(dataset, sample, modality, placement);
  return { blends: { red: placement.against, cyan: modality, pictures } };
}

/** Pictures the images of a sample, with a gap in the place of each that it lacks. */
async function picturesOf(dataset: Dataset, sample: Sample): Promise<SamplePicture[]> {
  const found = new Map((await thumbnails(dataset, sample)).map((one) => [one.modality, one]));
  return dataset.modalities.map((modality) => {
    return hasImage(sample, modality) ? found.get(modality)! : { modality, missing: true };
  });
}

/** A finding may have no samples, and then there is nothing to picture. */
function isPictured({ items }: { readonly items: readonly ShownItem[] }): boolean {
  return items.some(({ samples }) =>
    samples.some(({ pictures }) => pictures.some(({ jpeg }) => jpeg !== undefined)),
  );
}

/** Reads the items one after another, so that only a few images are in memory. */
async function inTurn(
  { items }: Finding,
  show: (item: FindingItem) => Promise<ShownItem>,
): Promise<ShownItem[]> {
  const shown: ShownItem[] = [];
  for (const item of items.slice(0, SHOWN)) shown.push(await show(item));
  return shown;
}

function privacy({
  phantom,
  images,
  keepIds,
}: {
  phantom: boolean;
  images: boolean;
  keepIds: boolean;
}): string {
  if (phantom) return 'All images are synthetic, so this page may be shared.';
  const ids = keepIds
    ? 'Samples are named as in the data.'
    : 'Samples have pseudonyms; --json, --drop-list and --keep-ids tell their ids.';
  const pictures = images
    ? 'This page shows images of the data: if they are of patients, it is for those who may see these. --no-images makes one without.'
    : 'This page shows no images.';
  return `${pictures} ${ids}`;
}
