/** The options that commands share live in this folder. Here are those of commands that take a config. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ConfigSources } from '../../config/index.js';
import { addDataOptions, type DataFlags, dataOf } from './dataOptions.js';

/** The flags of every command that takes a config. */
export interface ConfigFlags extends DataFlags {
  recipe?: string;
  method?: string;
  config?: string;
  set?: string[];
  seed?: number;
  steps?: number;
  microBatch?: number | 'auto';
  batchNorm?: string;
  splits?: string;
  initFrom?: string;
  fold?: number | 'all' | 'none';
}

export function addConfigOptions(command: Command): Command {
  return addDataOptions(command)
    .option('--recipe <name>', 'paper-us-swe, paper-fundus-ffa, authors or recommended')
    .option(
      '--method <name>',
      'anatomy, instdis, simclr, cmc, densecl, decur, supervised, random or imagenet',
    )
    .option('--config <file>', 'YAML with any settings (see anatomy config show)')
    .option('--set <key=value...>', 'one setting, such as training.steps=600; may be repeated')
    .option(
      '--init-from <file>',
      'weights to start from, .safetensors or .pth: torchvision’s, timm’s, DINO’s, MAE’s or ours; or a finished run',
    )
    .option('--seed <n>', 'seed of weights, order and augmentations', wholeNumber())
    .option('--steps <n>', 'end after so many steps', wholeNumber(1))
    .option(
      '--micro-batch <n>',
      'pairs in one forward pass: the same loss in less memory; a number or auto',
      microBatchValue,
    )
    .addOption(
      new Option(
        '--batch-norm <where>',
        'of several processes: over the batches of all, or each its own',
      ).choices(['sync', 'local']),
    )
    .option('--splits <file>', 'folds made by anatomy data split')
    .option('--fold <k>', 'fold kept out of pretraining: a number, all or none', foldValue);
}

/** Adds the flags for commands that open data and train nothing: the data's flags, and any setting under `data`. */
export function addDataConfigOptions(command: Command): Command {
  return addDataOptions(command)
    .option('--config <file>', 'YAML with any settings, of which those under data count')
    .option('--set <key=value...>', 'one setting of the data, such as data.size=128; may be repeated');
}

/** Makes a parser for whole numbers in this range. */
export function wholeNumber(least = 0, most = Number.POSITIVE_INFINITY): (text: string) => number {
  const range = most === Number.POSITIVE_INFINITY ? `from ${least}` : `from ${least} to ${most}`;
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number ${range}.`);
  };
}

/** Parses a number. The command that uses it checks the range. */
export function decimalNumber(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('Expected a number such as 0.1.');
  return value;
}

function microBatchValue(text: string): number | 'auto' {
  if (text === 'auto') return text;
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('Expected a number of pairs or auto.');
  return Number(text);
}

function foldValue(text: string): number | 'all' | 'none' {
  if (text === 'all' || text === 'none') return text;
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a fold number from 0, all or none.');
  return Number(text);
}

export function configSources(flags: ConfigFlags): ConfigSources {
  const { columns, ...data } = dataOf(flags);
  const settings = [
    ...Object.entries(data).map(([key, value]) => [`data.${key}`, value]),
    ...Object.entries(columns ?? {}).map(([role, name]) => [`data.columns.${role}`, name]),
  ];
  return {
    recipe: flags.recipe,
    file: flags.config,
    set: flags.set,
    flags: {
      ...Object.fromEntries(settings),
      'data.splits': flags.splits,
      'data.fold': flags.fold,
      'method.name': flags.method,
      'training.steps': flags.steps,
      'training.microBatch': flags.microBatch,
      'training.batchNorm': flags.batchNorm,
      'model.initFrom': flags.initFrom,
      seed: flags.seed,
    },
  };
}
