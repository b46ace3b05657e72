/** The command `anatomy pretrain`: it trains one run, or one for each fold. */
import { constants } from 'node:os';
import type { Command } from 'commander';
import type { TrainingData } from '../training/trainingData.js';
import { consoleOf } from './console.js';
import { invocation } from './invocation.js';
import { addConfigOptions, type ConfigFlags, configSources } from './options/configOptions.js';
import { print, printJson } from './output.js';

interface Flags extends ConfigFlags {
  out?: string;
  overwrite?: boolean;
  allowInexact?: boolean;
  dryRun?: boolean;
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
    .option('--dry-run', 'say steps, memory and time after a few trial steps; writes no run')
    .option('--json', 'print the result as JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
  $ anatomy pretrain --data phantom:breast,pairs=200 --set data.size=64 model.width=0.25 training.steps=100 --out runs/first
  $ anatomy pretrain --data pairs.csv --recipe authors --splits splits.json --fold all --out runs/authors
See also: anatomy config show, anatomy evaluate, anatomy report`,
    )
    .action(async (flags: Flags) => {
      const [{ resolveConfig }, { UsageError }] = await Promise.all([
        import('../config/index.js'),
        import('../errors.js'),
      ]);
      const config = resolveConfig(configSources(flags));
      const console = consoleOf(program);
      const [{ dryRun }, { pretrain }, { TrainingData }, { methodNamed }] = await Promise.all([
        import('../training/dryRun.js'),
        import('../training/pretrain.js'),
        import('../training/trainingData.js'),
        import('../methods/index.js'),
      ]);
      const trains = methodNamed(config.method.name)!.trains ?? true;
      if (flags.dryRun) {
        const plan = await dryRun(config, console);
        const { formatDuration } = await import('../log/progress.js');
        const cost = trains
          ? `about ${plan.secondsPerStep.toFixed(2)} s a step, ${formatDuration(plan.secondsInAll)} in all`
          : `${config.method.name} trains nothing`;
        if (flags.json) printJson(plan);
        else
          print(
            `${plan.pairs} pairs, ${plan.encoders > 1 ? `${plan.encoders} encoders of ` : ''}${plan.steps} steps (${plan.stepsPerEpoch} an epoch), ${plan.precision} on ${plan.device}\n` +
              `${cost}; peak memory ${(plan.peakMemoryBytes / 2 ** 30).toFixed(2)} GiB\n`,
          );
        return;
      }
      if (flags.out === undefined)
        throw new UsageError(
          'pretrain: --out is missing; name the folder for the run, such as --out runs/first',
        );
      const data = new TrainingData(config, console);
      const outcome = await pretrain(config, {
        out: flags.out,
        console,
        data,
        overwrite: flags.overwrite,
        allowInexact: flags.allowInexact,
      });
      if (flags.json) printJson({ run: flags.out, ...outcome });
      switch (outcome.kind) {
        case 'finished':
          for (const command of await nextCommands(flags.out, trains, data, config.data.splits)) {
            console.info(`next: ${command}`);
          }
          return;
        case 'interrupted':
          console.warn(
            `${outcome.signal}: saved after step ${outcome.step}; the same command goes on from there`,
          );
          process.exitCode = 128 + constants.signals[outcome.signal];
          return;
        case 'failed':
          console.error(
            `training failed at step ${outcome.step + 1}: ${outcome.reason}. ${
              outcome.lastGoodCheckpoint === null
                ? 'No checkpoint was written before'
                : `The checkpoint of step ${outcome.lastGoodCheckpoint} is kept`
            }, and there is no finished encoder; lower training.learningRate or look at failure.json`,
          );
          process.exitCode = 1;
      }
    });
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
