/** This room pretrains: from a config to a run folder with a trained encoder. This file holds its entrance. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Config, placesOf } from '../config/index.js';
import { rememberPlace } from '../data/cache/places.js';
import { published } from '../data/pseudonym.js';
import { DataError, UsageError } from '../errors.js';
import { exportEncoder } from '../export/encoder.js';
import { MessageConsole } from '../log/console.js';
import { methodNamed } from '../methods/index.js';
import { latestCheckpoint, type OpenCheckpoint, openLatestCheckpoint } from './checkpoint.js';
import { describeEncoder, encoderMetadata } from './encoderFile.js';
import { type Lease, takeLease } from './lease.js';
import { type LoopOutcome, train } from './loop.js';
import { memoryFault } from './microBatch.js';
import { type PreparedRun, prepare } from './prepare.js';
import { type Company, inFirst, meetOthers, sameData, unheard } from './processes.js';
import { writeProvenance } from './provenance.js';
import { checkRunFolder, encoderPath, openRunFolder, runPaths, writeFolds } from './runFolder.js';
import { TrainingData } from './trainingData.js';

export interface PretrainOptions {
  /** The folder of the run; with `fold: all`, the folder of the runs. */
  readonly out: string;
  /** Gets the messages; by default nobody does. */
  readonly console?: MessageConsole;
  /** The data of the config, for a caller that asks about them afterwards; opened here if absent. */
  readonly data?: TrainingData;
  /** Deletes a run that is in the folder. */
  readonly overwrite?: boolean;
  /** Goes on with a run whose device, precision, threads or number of processes were others. */
  readonly allowInexact?: boolean;
}

type LoudOptions = PretrainOptions & {
  readonly console: MessageConsole;
  readonly company: Company | undefined;
};

/**
 * Pretrains, or goes on with an unfinished run of the same config; `fold: all` trains one encoder a fold in `fold-K`.
 * Processes that torchrun, `srun` or `--processes` have started train together, and the first one writes the run.
 * @throws UsageError when the folder holds another run, DataError when the data is wrong
 */
export async function pretrain(config: Config, asked: PretrainOptions): Promise<LoopOutcome> {
  const company = meetOthers(config.training.threads);
  // The first process speaks for all.
  const silent = company !== undefined && company.group.rank > 0;
  const { console = new MessageConsole({ quiet: true }) } = silent ? { console: unheard() } : asked;
  const options = { ...asked, console, company };
  const { out, data = new TrainingData(config, console) } = options;
  if (config.data.fold !== 'all') return pretrainOne(config, data, options);
  if (existsSync(runPaths(out).config)) {
    throw new UsageError(
      `${out} holds a run of one encoder, and data.fold is all: one a fold; choose another --out`,
    );
  }
  const { k } = await data.folds();
  let outcome: LoopOutcome | undefined;
  for (let fold = 0; fold < k; fold += 1) {
    console.info(`fold ${fold} of ${k}`);
    const one = { ...config, data: { ...config.data, fold } };
    outcome = await pretrainOne(one, data, { ...options, out: join(out, `fold-${fold}`) });
    if (outcome.kind !== 'finished') break;
  }
  return outcome!;
}

async function pretrainOne(config: Config, data: TrainingData, options: LoudOptions): Promise<LoopOutcome> {
  const { out, console, company } = options;
  const finished = () =>
    checkRunFolder(out, config, options) === 'finished' ? alreadyFinished(options) : null;
  const outcome = await inFirst(company?.group, finished);
  if (outcome !== null) return outcome;
  const onInfo = (message: string) => console.info(message);
  let lease: Lease | undefined;
  try {
    await inFirst(company?.group, async () => {
      lease = await takeLease(out, { doing: 'pretraining', onInfo });
      return null;
    });
    return await pretrainAlone(config, data, { ...options, lease });
  } finally {
    lease?.release();
  }
}

function alreadyFinished({ out, console }: LoudOptions): LoopOutcome {
  console.success(`${out} is finished; --overwrite would start it anew`);
  const last = latestCheckpoint(runPaths(out).checkpoints, (text) => console.warn(text));
  return { kind: 'finished', step: last?.step ?? 0 };
}

/** Pretrains in a folder that no other run trains in. */
async function pretrainAlone(
  config: Config,
  data: TrainingData,
  options: LoudOptions & { readonly lease: Lease | undefined },
): Promise<LoopOutcome> {
  const { out, console, allowInexact, lease, company } = options;
  const paths = runPaths(out);
  const damaged: string[] = [];
  let checkpoint: OpenCheckpoint | undefined;
  const finished = await inFirst(company?.group, () => {
    // Another process may have finished the run since, or begun one of other settings.
    const state = checkRunFolder(out, config, options);
    if (state === 'finished') return alreadyFinished(options);
    if (state === 'unfinished') {
      checkpoint = openLatestCheckpoint(paths.checkpoints, (text) => damaged.push(text));
    }
    return null;
  });
  if (finished !== null) return finished;
  const run = await agreed(await prepare(config, data, console, { checkpoint, allowInexact }), company);
  try {
    await inFirst(company?.group, () => {
      // Not before the data has proved good: a mistyped path must not leave a run behind, nor delete one.
      lease?.check();
      openRunFolder(out, config, options);
      refuseOtherData(out, run);
      return null;
    });
    if (lease === undefined) return await train(run, { paths, console, allowInexact });
    console.teeTo(paths.log, { redact: redactor(config, out) });
    return await logged(console, async () => {
      writeProvenance(out, run);
      rememberPlace(published(run.dataHash), config.data);
      if (run.folds) writeFolds(out, run.folds, run.dataHash);
      data.warnOnce(run.faults);
      describe(run, console);
      for (const text of damaged) console.warn(text);
      const outcome = await train(run, { paths, console, allowInexact, check: lease.check });
      if (outcome.kind === 'finished') {
        // Random weights need statistics before they can be compared; those that were given bring theirs.
        if (run.totalSteps === 0 && config.model.initFrom === null) await run.calibrate();
        exportEncoders(out, run);
        const idle = methodNamed(run.method.name)?.trains === false;
        console.success(`finished: ${out}${idle ? ` (${run.method.name} trains nothing)` : ''}`);
      }
      return outcome;
    });
  } finally {
    run.dispose();
  }
}

/**
 * Sees that all processes train on the same data, and gives the run what the first one has chosen for all.
 * @throws DataError where the data of one is other than that of the first
 */
async function agreed(run: PreparedRun, company: Company | undefined): Promise<PreparedRun> {
  if (company === undefined) return run;
  const { group, place } = company;
  try {
    sameData(group, run.dataHash);
    const microBatch = await inFirst(group, () => run.microBatch);
    // Those on one machine share its memory.
    const stepBytes = Math.ceil((run.stepBytes * place.localSize) / group.size);
    return { ...run, group, microBatch, stepBytes };
  } catch (error) {
    run.dispose();
    throw error;
  }
}

/** Notes an error that ends the run in its log. The screen gets it from whoever catches it. */
async function logged<T>(console: MessageConsole, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    console.note('error', (error as Error).message);
    throw error;
  }
}

/** Announces data, steps and device of a run, and warns if the method learns from the labels of all pairs. */
function describe({ config, dataset, method, plan, ...run }: PreparedRun, console: MessageConsole): void {
  const pairs = plan.indices.length;
  const batch = Math.min(config.training.batchSize, pairs);
  const chunks = run.microBatch < batch ? ` (${run.microBatch} at a time)` : '';
  const company = run.group === undefined ? '' : ` by ${run.group.size} processes`;
  const work =
    run.totalSteps === 0
      ? 'nothing is trained'
      : `${run.totalSteps} ${run.totalSteps === 1 ? 'step' : 'steps'} of ${batch}${chunks}`;
  console.info(
    `${method.name}: ${pairs} pairs of ${dataset.name}, ${work}, ${run.precision} on ${run.device}${company}`,
  );
  const short = memoryFault(run.stepBytes, run.microBatch);
  if (short !== undefined) console.warn(`${short}; else the system may end the run without a word`);
  if (methodNamed(method.name)!.usesLabels && config.data.fold === 'none') {
    console.warn(
      `${method.name} learns from the labels of all pairs, so it cannot be judged on them; keep some out with --splits and --fold`,
    );
  }
}

/** Refuses to go on with other data: what the folder says must stay true of what the run was trained on. */
function refuseOtherData(root: string, { checkpoint, dataHash }: PreparedRun): void {
  if (checkpoint === undefined || checkpoint.dataHash === published(dataHash)) return;
  throw new DataError(
    `${root}: the data has changed since step ${checkpoint.step} of this run; give the data it began with, choose another --out, or --overwrite it`,
  );
}

/** Writes the first modality's encoder last: it is what tells that a run is finished. */
function exportEncoders(root: string, { method, dataset, config, dataHash }: PreparedRun): void {
  const { modalities } = dataset;
  const [first, ...others] = modalities.map((modality) => [modality, method.encoderFor(modality)] as const);
  const separate = others.filter(([, encoder]) => encoder !== first![1]);
  const write = (path: string, [modality, encoder]: NonNullable<typeof first>) => {
    const own = separate.length === 0 ? undefined : modality;
    const description = describeEncoder(config, {
      modalities,
      modality: own,
      dataHash: published(dataHash),
    });
    exportEncoder(path, encoder, encoderMetadata(description));
  };
  for (const other of separate) write(encoderPath(root, other[0]), other);
  write(runPaths(root).encoder, first!);
}

/** Makes the function that shortens paths in messages to their last part, as the log may be shared. */
function redactor(config: Config, out: string): (text: string) => string {
  const named = [...placesOf(config).values(), config.data.cacheFolder, out].filter((file) =>
    file?.includes('/'),
  );
  return (text) =>
    withoutFolders(named.reduce<string>((shown, file) => shown.replaceAll(file!, basename(file!)), text));
}

/** Removes the folders from everything in a text that looks like a path. */
export function withoutFolders(text: string): string {
  return text.replace(/(^|[\s"'(=])(?:\.{0,2}\/)+(?:[^\s/"']+\/)+/g, '$1');
}
