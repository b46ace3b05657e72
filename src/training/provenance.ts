/** The provenance of a run: versions, hardware, data and seed. */
import { existsSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { published } from '../data/pseudonym.js';
import { writeFileAtomic } from '../files.js';
import { cudaDevices, threads, torchVersion } from '../tensor/index.js';
import { packageVersion } from '../version.js';
import type { PreparedRun } from './prepare.js';
import { readRunFile, runPaths } from './runFolder.js';

const provenanceSchema = z.looseObject({
  dataHash: z.string().optional(),
  /** Absent in runs of older versions. */
  modalities: z.array(z.string()).optional(),
  earlier: z.array(z.unknown()).optional(),
});

/** Reads the provenance of a run. @throws DataError naming the file where it is damaged */
export function readProvenance(root: string): z.infer<typeof provenanceSchema> {
  return readRunFile(
    runPaths(root).provenance,
    provenanceSchema,
    'delete it, and anatomy pretrain writes it anew',
  );
}

/**
 * Writes versions, hardware, data and seed: what a reader needs to repeat the run. A run resumed elsewhere keeps what
 * was true before under `earlier`.
 */
export function writeProvenance(root: string, run: PreparedRun): void {
  const { config, dataset } = run;
  const provenance = {
    tool: `anatomy-ssl ${packageVersion()}`,
    node: process.version,
    torch: torchVersion(),
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    threads: threads(),
    memoryBytes: totalmem(),
    cudaDevices: cudaDevices(),
    device: run.device,
    precision: run.precision,
    microBatch: run.microBatch,
    seed: config.seed,
    recipe: config.recipe,
    data: dataset.name,
    modalities: dataset.modalities,
    simulated: dataset.simulated,
    generatorVersion: dataset.generatorVersion,
    pairs: run.plan.indices.length,
    dataHash: published(run.dataHash),
  };
  const file = runPaths(root).provenance;
  const { earlier = [], ...before } = existsSync(file) ? readProvenance(root) : {};
  // What is undefined is in no file.
  const same = isDeepStrictEqual(before, JSON.parse(JSON.stringify(provenance)));
  const past = same || Object.keys(before).length === 0 ? earlier : [...earlier, before];
  const all = past.length > 0 ? { ...provenance, earlier: past } : provenance;
  writeFileAtomic(file, `${JSON.stringify(all, null, 2)}\n`);
}
