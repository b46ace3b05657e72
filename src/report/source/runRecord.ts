/**
 * The room `report/source` reads all that a report is made from. This file reads the folder of a run, without LibTorch:
 * its settings, its machine and its measurements.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Config } from '../../config/index.js';
import { stepsPerEpoch } from '../../data/loading/loader.js';
import { DataError, UsageError } from '../../errors.js';
import { type JsonLine, readJsonLines } from '../../log/jsonLines.js';
import { methodNamed } from '../../methods/index.js';
import { PHANTOM_PREFIX } from '../../phantoms/phantomName.js';
import { readRunConfig, runPaths } from '../../training/runFolder.js';

const provenanceSchema = z.object({
  tool: z.string(),
  node: z.string(),
  torch: z.string(),
  platform: z.string(),
  cpu: z.string().optional(),
  cores: z.number(),
  threads: z.number(),
  memoryBytes: z.number(),
  device: z.string(),
  precision: z.string(),
  data: z.string(),
  /** Absent in runs of older versions. */
  modalities: z.array(z.string()).optional(),
  simulated: z.array(z.string()).optional(),
  generatorVersion: z.number().optional(),
  pairs: z.number(),
  dataHash: z.string(),
});

const failureSchema = z.object({ step: z.number(), reason: z.string() });

export interface RunRecord {
  /** The fold that was kept out of pretraining, where the run is one of several. */
  readonly fold?: number;
  readonly root: string;
  readonly config: Config;
  readonly provenance: z.infer<typeof provenanceSchema>;
  /** The lines of the log. There is at least one, except for a method that trains nothing. */
  readonly lines: readonly JsonLine[];
  readonly steps: { readonly done: number; readonly planned: number };
  readonly finished: boolean;
  /** The reason that the run stopped, where its loss was no longer a number. */
  readonly failure?: z.infer<typeof failureSchema>;
}

export interface RunFolder {
  /** The name of the folder, without a path. */
  readonly name: string;
  /** The only run, or one run for each fold. */
  readonly runs: readonly [RunRecord, ...RunRecord[]];
}

/**
 * Reads a run, or the folder of `pretrain --fold all` with its `fold-0`, `fold-1`, …
 *
 * @throws UsageError where there is no run, DataError where it has no metrics or a file of it cannot be read
 */
export function readRunFolder(root: string): RunFolder {
  const name = basename(resolve(root));
  if (existsSync(runPaths(root).config)) return { name, runs: [readRun(root)] };
  const folds = (existsSync(root) ? readdirSync(root) : [])
    .flatMap((entry) => /^fold-(\d+)$/.exec(entry)?.[1] ?? [])
    .map(Number)
    .filter((fold) => existsSync(runPaths(join(root, `fold-${fold}`)).config))
    .sort((a, b) => a - b);
  const [first, ...others] = folds.map((fold) => ({ ...readRun(join(root, `fold-${fold}`)), fold }));
  if (first === undefined) {
    throw new UsageError(
      `${root}: no run here (neither config.yaml nor fold-0/config.yaml); expected the --out folder of anatomy pretrain, or one of anatomy experiment run by itself`,
    );
  }
  return { name, runs: [first, ...others] };
}

/** Tells whether all images of the run are phantoms, which may be shown to anybody. */
export function isPhantom({ config }: Pick<RunRecord, 'config'>): boolean {
  return config.data.path?.startsWith(PHANTOM_PREFIX) ?? false;
}

function readRun(root: string): RunRecord {
  const paths = runPaths(root);
  const config = readRunConfig(root);
  const lines = existsSync(paths.metrics) ? readJsonLines(paths.metrics) : [];
  const finished = existsSync(paths.encoder);
  const trains = methodNamed(config.method.name)!.trains ?? true;
  const failure = existsSync(paths.failure) ? readJson(paths.failure, failureSchema) : undefined;
  if (lines.length === 0 && failure !== undefined && !finished) {
    throw new DataError(
      `${root}: training failed at step ${failure.step}, before anything was logged (${failure.reason}); pretrain with other settings in another --out`,
    );
  }
  if (lines.length === 0 && (trains || !finished)) {
    throw new DataError(
      `${root}: has no metrics yet (${basename(paths.metrics)} is ${existsSync(paths.metrics) ? 'empty' : 'missing'}); let anatomy pretrain ${trains ? 'take its first step' : 'come to its end'}`,
    );
  }
  const provenance = readJson(paths.provenance, provenanceSchema);
  return {
    root,
    config,
    provenance,
    lines,
    steps: { done: lines.at(-1)?.step ?? 0, planned: trains ? plannedSteps(config, provenance.pairs) : 0 },
    finished,
    // A run that was resumed and finished still has the file of its earlier failure.
    failure: finished ? undefined : failure,
  };
}

/** The number of steps that a run takes on so many samples. */
export function plannedSteps({ training, seed }: Config, pairs: number): number {
  const { steps, epochs, batchSize, dropLast } = training;
  const indices = Array.from({ length: pairs }, (_, i) => i);
  return steps ?? epochs * stepsPerEpoch({ indices, batchSize, dropLast, seed });
}

function readJson<T>(file: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const why = error instanceof z.ZodError ? error.issues[0]!.message : (error as Error).message;
    throw new DataError(`${file}: cannot be read (${why}); expected what anatomy pretrain writes`);
  }
}

/** The network of a run in words, such as `2 branches of vgg16_bn × 0.125`. */
export function networkWords({ model }: Pick<Config, 'model'>): string {
  const network = `${model.backbone} × ${model.width}`;
  return model.branches === 2 ? `2 branches of ${network}` : network;
}
