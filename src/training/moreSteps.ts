/** Goes on with a finished run for more steps than it was planned for. */
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, formatConfig } from '../config/index.js';
import { UsageError } from '../errors.js';
import { syncFolder, writeFileAtomic } from '../files.js';
import { MessageConsole } from '../log/console.js';
import { latestCheckpoint } from './checkpoint.js';
import { takeLease } from './lease.js';
import type { LoopOutcome } from './loop.js';
import { type PretrainOptions, pretrain } from './pretrain.js';
import { inFirst, meetOthers } from './processes.js';
import { readRunConfig, runPaths } from './runFolder.js';
import { storable } from './runPlaces.js';

/**
 * Trains a finished run for more steps, from the state of its last checkpoint: weights, velocities, memories. With a
 * constant or a multistep schedule the result is that of a run planned with so many steps, to the bit. A cosine has come
 * to its end and begins anew (`training.restarts`), so the result is that of a run planned with this restart, and not
 * of one planned with more steps from the beginning.
 *
 * What the run was so far is kept in `at-step-N/`: its encoder, its evaluations and its report, which are of those
 * weights. Of a folder with a run for each fold, all go on.
 *
 * @param root the `--out` folder of `anatomy pretrain`
 * @throws UsageError where there is no finished run, or its last checkpoint is gone
 */
export async function trainMore(
  root: string,
  more: number,
  options: Omit<PretrainOptions, 'out' | 'overwrite' | 'data'> = {},
): Promise<LoopOutcome> {
  if (!(Number.isInteger(more) && more >= 1)) {
    throw new UsageError(`--more-steps is ${more}, expected a whole number from 1`);
  }
  const { console = new MessageConsole({ quiet: true }) } = options;
  const folds = existsSync(root) && !existsSync(runPaths(root).config) ? foldFolders(root) : [];
  let outcome: LoopOutcome | undefined;
  for (const one of folds.length > 0 ? folds : [root]) {
    outcome = await trainOneMore(one, more, { ...options, console });
    if (outcome.kind !== 'finished') break;
  }
  return outcome!;
}

function foldFolders(root: string): string[] {
  return readdirSync(root)
    .flatMap((name) => /^fold-(\d+)$/.exec(name)?.[1] ?? [])
    .sort((one, other) => Number(one) - Number(other))
    .map((fold) => join(root, `fold-${fold}`))
    .filter((folder) => existsSync(runPaths(folder).config));
}

async function trainOneMore(
  root: string,
  more: number,
  options: Omit<PretrainOptions, 'out'> & { readonly console: MessageConsole },
): Promise<LoopOutcome> {
  // Of several processes the first one changes the folder.
  const { group } = meetOthers(readRunConfig(root).training.threads) ?? {};
  const config = await inFirst(group, () => lengthen(root, more, options.console));
  return pretrain(config, { ...options, out: root });
}

/** Makes the finished run an unfinished one with so many steps more. @returns its config */
async function lengthen(root: string, more: number, console: MessageConsole): Promise<Config> {
  const config = readRunConfig(root);
  const paths = runPaths(root);
  const checkpoint = latestCheckpoint(paths.checkpoints, (text) => console.warn(text));
  const { steps } = config.training;
  if (!existsSync(paths.encoder)) {
    // The same command again resumes what it began.
    if (steps !== null && existsSync(keptAt(root, steps - more))) return config;
    throw new UsageError(
      `${root}: is not finished${checkpoint === undefined ? '' : ` (step ${checkpoint.step})`}, and --more-steps lengthens finished runs; finish it with the command that began it`,
    );
  }
  if (checkpoint === undefined) {
    throw new UsageError(
      `${root}: has no checkpoint any more, so momentum and memories are lost; begin another run from its weights with anatomy pretrain --init-from ${root}`,
    );
  }
  const done = checkpoint.step;
  const { training } = config;
  const anew = training.schedule.kind === 'cosine';
  const longer = {
    ...config,
    training: {
      ...training,
      steps: done + more,
      ...(anew && { restarts: [...(training.restarts ?? []), done] }),
    },
  };
  const lease = await takeLease(root, { doing: 'pretraining', onInfo: (text) => console.info(text) });
  try {
    const kept = setAside(root, done);
    console.info(`${root}: what was made at step ${done} is kept in ${kept}`);
    // Whoever is killed before this has an unfinished run of the old length, which the next command finishes at once.
    writeFileAtomic(paths.config, formatConfig(storable(longer, root)));
  } finally {
    lease.release();
  }
  if (anew) {
    console.info(
      `the cosine begins anew at step ${done}: the run will be as one planned with training.restarts=[${longer.training.restarts}], not as one planned with ${done + more} steps from the beginning`,
    );
  }
  return longer;
}

/**
 * Moves encoder, evaluations and report of this step to a folder of their own. The encoder that tells that a run is
 * finished goes first.
 */
function setAside(root: string, step: number): string {
  const kept = keptAt(root, step);
  mkdirSync(kept, { recursive: true });
  const moved = readdirSync(root).filter((name) =>
    /^(encoder(-.+)?\.safetensors|evaluation|report)$/.test(name),
  );
  for (const name of moved.sort(
    (one, other) => Number(other === 'encoder.safetensors') - Number(one === 'encoder.safetensors'),
  )) {
    renameSync(join(root, name), join(kept, name));
  }
  syncFolder(root);
  return kept;
}

function keptAt(root: string, step: number): string {
  return join(root, `at-step-${step}`);
}
