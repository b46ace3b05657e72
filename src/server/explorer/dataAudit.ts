/** The audit of data, of a run or before there is one, with its images, for the page on which one decides what to leave out. */
import sharp from 'sharp';
import { type AuditReport, auditDataset, samplesToDrop } from '../../data/audit/audit.js';
import type { DataFault } from '../../data/faults.js';
import { readSampleImage } from '../../data/images/readSampleImage.js';
import { type DatasetSpec, openDataset } from '../../data/openDataset.js';
import { hasImage } from '../../data/presence.js';
import { pseudonym } from '../../data/pseudonym.js';
import type { Dataset } from '../../data/sample.js';
import { datasetSpec } from '../../training/datasetSpec.js';
import { readRunConfig } from '../../training/runFolder.js';
import type { AuditSample, DataAudit } from '../messages.js';

/** More items of a finding, and more samples of an item, nobody would look through. */
const ITEMS = 500;
const SAMPLES = 12;

/** The side of a picture in pixels, so that one sees what is wrong with an image. */
const SIDE = 320;

/** Is told how many samples were looked at, of how many. */
export type OnProgress = (looked: number, of: number) => void;

/** Data that are opened without an encoder, so that those that no run could train on can be looked at. */
export class AuditedData {
  readonly #dataset: Dataset;
  readonly #faults: readonly DataFault[];
  readonly #seed: number | undefined;
  #audit: Promise<DataAudit> | undefined;
  #contentHash = '';

  private constructor(dataset: Dataset, faults: readonly DataFault[], seed?: number) {
    this.#dataset = dataset;
    this.#faults = faults;
    this.#seed = seed;
  }

  static ofRun(root: string): Promise<AuditedData> {
    const config = readRunConfig(root);
    return AuditedData.open(datasetSpec(config), config.seed);
  }

  static async open(spec: DatasetSpec, seed?: number): Promise<AuditedData> {
    const faults: DataFault[] = [];
    const dataset = await openDataset(spec, {
      positive: 'optional',
      onWarning: () => {},
      onFault: (fault) => faults.push(fault),
    });
    return new AuditedData(dataset, faults, seed);
  }

  /** Looks at every image once. */
  audit(onProgress?: OnProgress): Promise<DataAudit> {
    this.#audit ??= this.#look(onProgress);
    return this.#audit;
  }

  /** The audit for others: samples have pseudonyms, nothing is said of a file, and there is no list to write. */
  pseudonymous(audit: DataAudit): DataAudit {
    return {
      ...audit,
      data: 'The data',
      suggested: [],
      findings: audit.findings.map((finding) => ({
        ...finding,
        items: finding.items.map((item) => ({
          ...item,
          detail: '',
          samples: item.samples.map((one) => ({
            ...one,
            id: pseudonym('sample', one.id, this.#contentHash),
          })),
        })),
      })),
    };
  }

  /** @returns a JPEG of the image as it is in the data @throws DataError where it cannot be read */
  async thumbnail(sample: number, modality: string): Promise<Uint8Array> {
    const { data, width, height, channels } = await readSampleImage(
      this.#dataset,
      this.#dataset.samples[sample]!,
      modality,
      SIDE,
    );
    return sharp(data, { raw: { width, height, channels } })
      .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality: 85 })
      .toBuffer();
  }

  get dataset(): Dataset {
    return this.#dataset;
  }

  async #look(onProgress?: OnProgress): Promise<DataAudit> {
    const report = await auditDataset(this.#dataset, { faults: this.#faults, seed: this.#seed, onProgress });
    this.#contentHash = report.contentHash;
    return told(this.#dataset, report);
  }
}

function told(dataset: Dataset, report: AuditReport): DataAudit {
  const placeOf = new Map(dataset.samples.map(({ id }, sample) => [id, sample]));
  const sampleOf = (id: string): AuditSample => {
    const place = placeOf.get(id);
    if (place === undefined) return { id, sample: null, modalities: [] };
    const own = dataset.samples[place]!;
    const modalities = dataset.modalities.filter((modality) => hasImage(own, modality));
    return { id, sample: place, ...(own.label !== undefined && { label: own.label }), modalities };
  };
  return {
    data: dataset.name,
    samples: dataset.samples.length,
    findings: report.findings.map(({ code, severity, title, explanation, fix, count, items }) => ({
      ...{ code, severity, title, explanation, fix, count },
      items: items.slice(0, ITEMS).map(({ ids, modality, detail }) => ({
        ...(modality !== undefined && { modality }),
        detail,
        samples: ids.slice(0, SAMPLES).map(sampleOf),
      })),
    })),
    suggested: samplesToDrop(report).map(({ id, reason }) => ({ id, reason })),
  };
}
