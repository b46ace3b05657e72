/** The command `anatomy pretrain`: it trains one run, or one for each fold. */
import { constants } from 'node:os';
import type { Command } from 'commander';
import type { Config } from '../config/index.js';
import type { MessageConsole } from '../log/console.js';
import type { LoopOutcome } from '../training/loop.js';
import type { Place } from '../training/processes.js';
import type { TrainingData } from '../training/trainingData.js';
import { consoleOf } from './console.js';
import { invocation } from './invocation.js';
import { addConfigOptions, type ConfigFlags, configSources, wholeNumber } from './options/configOptions.js';
import { print, printJson } from './output.js';

interface Flags extends ConfigFlags {
  out?: string;
  overwrite?: boolean;
  allowInexact?: boolean;
  dryRun?: boolean;
  moreSteps?: number;
  processes?: number;
  json?: boolean;
}

export function registerPretrain(program: Command): void {
  const command = program
    .command('pretrain')
    .description(
      'Pretrain an encoder on aligned pairs, without labels. The same command again resumes an unfinished run.',
    )
    .option('--out <folder>', 'the run: config, metrics, checkpoints, encoder');
  addConfigOptions(command)
    .option('--overwrite', 'delete a run that is in --out')
    .option('--allow-inexact', 'resume although LibTorch, CPU, threads or precision have changed')
    .option(
      '--more-steps <n>',
      'train the finished run in --out for so many steps more; its settings are taken from it',
      wholeNumber(1),
    )
    .option(
      '--processes <n>',
      'train by so many processes on this machine, one for each GPU; on several machines start it by torchrun or srun',
      wholeNumber(1),
    )
    .option('--dry-run', 'say steps, memory and time after a few trial steps; writes no run')
    .option('--json', 'print the result as JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
  $ anatomy pretrain --data phantom:breast,pairs=200 --set data.size=64 model.width=0.25 training.steps=100 --out runs/first
  $ anatomy pretrain --data pairs.csv --recipe authors --splits splits.json --fold all --out runs/authors
  $ anatomy pretrain --out runs/first --more-steps 100
See also: anatomy config show, anatomy evaluate, anatomy report`,
    )
    .action(async (flags: Flags) => {
      const console = consoleOf(program);
      const { chooseGpu, placeOf } = await import('../training/processes.js');
      const place = placeOf();
      if (place !== undefined) chooseGpu(place);
      if ((flags.processes ?? 1) > 1) return startTogether(flags, flags.processes!, place);
      if (flags.moreSteps !== undefined) return lengthen(flags, flags.moreSteps, console, place);
      const [{ resolveStart }, { pretrain }, { TrainingData }, { methodNamed }] = await Promise.all([
        import('../training/startingWeights.js'),
        import('../training/pretrain.js'),
        import('../training/trainingData.js'),
        import('../methods/index.js'),
      ]);
      const config = resolveStart(configSources(flags), {
        out: flags.overwrite ? undefined : flags.out,
        onNotice: (message) => console.info(message),
      });
      const trains = methodNamed(config.method.name)!.trains ?? true;
      if (flags.dryRun) return tryOut(config, trains, flags, console);
      const out = await outOf(flags);
      const data = new TrainingData(config, console);
      const { overwrite, allowInexact } = flags;
      const outcome = await pretrain(config, { out, console, data, overwrite, allowInexact });
      if (place !== undefined && place.rank > 0) return end(outcome);
      if (flags.json) printJson({ run: out, ...outcome });
      if (outcome.kind === 'finished') {
        for (const command of await nextCommands(out, trains, data, config.data.splits)) {
          console.info(`next: ${command}`);
        }
      } else tell(outcome, console);
    });
}

/** Starts the same command as several processes. @throws UsageError for what one process does alone */
async function startTogether(
  { dryRun, moreSteps, ...flags }: Flags,
  count: number,
  place: Place | undefined,
): Promise<void> {
  if (dryRun) {
    const { UsageError } = await import('../errors.js');
    throw new UsageError('--dry-run tries one process; leave out --processes');
  }
  // A mistake in the settings is told once, and not by every process.
  if (moreSteps === undefined) {
    const { resolveConfig } = await import('../config/index.js');
    resolveConfig(configSources(flags));
  }
  await outOf(flags);
  const { runTogether } = await import('./processes.js');
  process.exitCode = await runTogether(count, place);
}

async function tryOut(config: Config, trains: boolean, { json }: Flags, console: MessageConsole) {
  const [{ dryRun }, { formatDuration }] = await Promise.all([
    import('../training/dryRun.js'),
    import('../log/progress.js'),
  ]);
  const plan = await dryRun(config, console);
  const cost = trains
    ? `about ${plan.secondsPerStep.toFixed(2)} s a step, ${formatDuration(plan.secondsInAll)} in all`
    : `${config.method.name} trains nothing`;
  if (json) printJson(plan);
  else
    print(
      `${plan.pairs} pairs, ${plan.encoders > 1 ? `${plan.encoders} encoders of ` : ''}${plan.steps} steps (${plan.stepsPerEpoch} an epoch), ${plan.precision} on ${plan.device}\n` +
        `${cost}; peak memory ${(plan.peakMemoryBytes / 2 ** 30).toFixed(2)} GiB\n`,
    );
}

/** Goes on with a finished run. @throws UsageError for flags that the run's own settings would contradict */
async function lengthen(
  flags: Flags,
  more: number,
  console: MessageConsole,
  place: Place | undefined,
): Promise<void> {
  const { out: _, moreSteps: __, allowInexact, json, ...others } = flags;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    const { UsageError } = await import('../errors.js');
    const flag = `--${other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError(
      `--more-steps takes all settings from the run; leave out ${flag}, or begin another run with it`,
    );
  }
  const out = await outOf(flags);
  const { trainMore } = await import('../training/moreSteps.js');
  const outcome = await trainMore(out, more, { console, allowInexact });
  if (place !== undefined && place.rank > 0) return end(outcome);
  if (json) printJson({ run: out, ...outcome });
  if (outcome.kind !== 'finished') tell(outcome, console);
}

async function outOf({ out }: Flags): Promise<string> {
  if (out !== undefined) return out;
  const { UsageError } = await import('../errors.js');
  throw new UsageError('pretrain: --out is missing; name the folder for the run, such as --out runs/first');
}

/** Says how a run ended that is not finished, and sets the exit code. */
function tell(outcome: Exclude<LoopOutcome, { kind: 'finished' }>, console: MessageConsole): void {
  end(outcome);
  if (outcome.kind === 'interrupted') {
    console.warn(`${outcome.signal}: saved after step ${outcome.step}; the same command goes on from there`);
    return;
  }
  const kept =
    outcome.lastGoodCheckpoint === null
      ? 'No checkpoint was written before'
      : `The checkpoint of step ${outcome.lastGoodCheckpoint} is kept`;
  console.error(
    `training failed at step ${outcome.step + 1}: ${outcome.reason}. ${kept}, and there is no finished encoder; lower training.learningRate or look at failure.json`,
  );
}

/** Sets the exit code. */
function end(outcome: LoopOutcome): void {
  if (outcome.kind === 'interrupted') process.exitCode = 128 + constants.signals[outcome.signal];
  else if (outcome.kind === 'failed') process.exitCode = 1;
}

/**
 * Lists the commands to go on with after a finished run, quoted for a shell. They need no flags for the data, as
 * `config.yaml` of the run holds the data, the columns and the positive class. TensorBoard is named where it is there.
 */
async function nextCommands(
  out: string,
  trains: boolean,
  data: Pick<TrainingData, 'dataset'>,
  splits: string | null,
): Promise<string[]> {
  const [{ shellWords }, { findProgram }] = await Promise.all([
    import('../text/shell.js'),
    import('../../tools/command.mjs'),
  ]);
  const curves = trains && findProgram('tensorboard') !== null;
  return [
    shellWords([...invocation(), ...(await judging(data, splits)), out]),
    ...(curves ? [shellWords(['tensorboard', '--logdir', out])] : []),
  ];
}

/** Gives the command that can judge an encoder on the data it was trained on, up to the folder of the run. */
async function judging(data: Pick<TrainingData, 'dataset'>, splits: string | null): Promise<string[]> {
  // A finished run stays finished when its data are gone; whoever judges it names other data.
  const dataset = await data.dataset().catch(() => undefined);
  if (dataset === undefined) return ['evaluate', 'logreg', '--run'];
  const { samples, modalities } = dataset;
  const classes = new Set(samples.flatMap(({ label }) => label ?? []));
  const judged = new Set(samples.flatMap(({ subject, label }) => (label === undefined ? [] : subject)));
  // A probe is chosen on one of two subjects and tested on a third.
  if (classes.size > 1 && judged.size > 2) {
    const { DEFAULT_FOLDS } = await import('../data/splits/splits.js');
    const given = splits !== null || samples.some(({ fold }) => fold !== undefined);
    const fewer = given || judged.size >= DEFAULT_FOLDS ? [] : ['--folds', String(judged.size)];
    return ['evaluate', 'logreg', ...fewer, '--run'];
  }
  // The chance level of a pair comes from an image of another subject.
  const subjects = new Set(samples.map(({ subject }) => subject));
  return modalities.length > 1 && subjects.size > 1 ? ['evaluate', 'pairs', '--run'] : ['report'];
}
