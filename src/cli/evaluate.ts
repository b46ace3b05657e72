import type { Command } from 'commander';
import type { EvaluateOptions } from '../evaluation/evaluate.js';
import type { Protocol } from '../evaluation/probes/probe.js';
import type { TrainingOptions } from '../evaluation/trained/trainedProbe.js';
import { FEWEST_REPLICATES } from '../metrics/replicates.js';
import { consoleOf } from './console.js';
import { addPairs } from './evaluatePairs.js';
import { decimalNumber, wholeNumber } from './options/configOptions.js';
import { addDataOptions } from './options/dataOptions.js';
import {
  askedData,
  checkEvaluationFlags,
  type EvaluationFlags,
  resultFolder,
} from './options/evaluationOptions.js';

interface Flags extends EvaluationFlags, TrainingOptions {
  folds?: number;
  features?: EvaluateOptions['features'];
  images?: string[];
  labelFraction?: number;
  untrained?: boolean;
  k?: number;
  temperature?: number;
  keepIds?: boolean;
}

export function registerEvaluate(program: Command): void {
  const evaluate = program
    .command('evaluate')
    .description(
      'Judge a run by cross-validation over subjects, beside its untrained encoder and a thumbnail baseline.',
    );
  addProtocol(
    program,
    evaluate,
    'logreg',
    'Logistic regression on standardised features: the primary probe.',
  );
  addProtocol(
    program,
    evaluate,
    'linear',
    'A linear layer trained by gradient descent on frozen features; by default the authors’ probe, hu-linear.',
  );
  addProtocol(
    program,
    evaluate,
    'finetune',
    'All weights of the encoder trained together with a linear layer, beside the same from random weights.',
  );
  addProtocol(program, evaluate, 'knn', 'k nearest neighbours by cosine, votes weighted by similarity.');
  addPairs(program, evaluate);
}

function addProtocol(program: Command, evaluate: Command, protocol: Protocol, description: string): void {
  const command = evaluate
    .command(protocol)
    .description(description)
    .requiredOption('--run <folder>', 'the --out folder of anatomy pretrain, also of --fold all');
  addDataOptions(command, 'what to judge on (default: the data of the run)')
    .option(
      '--data-config <file>',
      'YAML whose settings under data say what to judge on and how it is read, in place of those of the run',
    )
    .option(
      '--splits <file>',
      'folds made by anatomy data split (default: those of the run or the data, else drawn)',
    )
    .option('--folds <k>', 'number of folds to draw (default: 5)', wholeNumber(2))
    .option(
      '--features <kind>',
      `pooled (average of the last map), head (its embedding) or both (default: ${protocol === 'finetune' ? 'what the preset reads, hu the head, others pooled' : 'both'})`,
    )
    .option(
      '--images <sets...>',
      `modalities to judge, alone or side by side, such as a a+b (default: ${protocol === 'finetune' ? 'all together' : 'each alone and all together'})`,
    )
    .option(
      '--label-fraction <share>',
      'learn from this share of each class’s training labels, such as 0.01 (default: 1, all)',
      decimalNumber,
    )
    .option(
      '--set-aside',
      'judge what anatomy data split --set-aside kept apart, by what is learned from the rest',
    );
  if (protocol === 'linear' || protocol === 'finetune') {
    const presets = protocol === 'linear' ? 'hu, moco, simclr, cmc or solo' : 'hu, simclr or layer-decay';
    command
      .option('--preset <name>', `published recipe: ${presets}`, 'hu')
      .option('--epochs <n>', 'in place of the preset’s; its milestones move in proportion', wholeNumber(1))
      .option('--learning-rate <rate>', 'in place of the preset’s', decimalNumber)
      .option('--class-weights <how>', 'none, or balanced: every class counts alike', 'none');
  }
  if (protocol === 'finetune') {
    command.option(
      '--batch-norm <mode>',
      'frozen (running statistics, not updated) or train (default: frozen with hu, else train)',
    );
  }
  if (protocol === 'knn') {
    command
      .option('--k <n>', 'neighbours that vote', wholeNumber(1), 20)
      .option('--temperature <t>', 'of the votes', decimalNumber, 0.07);
  }
  command
    .option(
      '--no-untrained',
      'not the same network with random weights too, which takes as long again or longer',
    )
    .option('--seed <n>', 'seed of folds, probe and bootstrap', wholeNumber(), 0)
    .option('--replicates <n>', 'bootstraps of the intervals', wholeNumber(FEWEST_REPLICATES), 2000)
    .option('--device <name>', 'auto, cpu, cuda or cuda:1 (default: auto)')
    .option('--precision <name>', 'auto, fp32, bf16 or fp16 (default: that of the training)')
    .option('--out <folder>', 'where the results go (default: evaluation/ in the run)')
    .option('--keep-ids', 'write ids and subjects as they are instead of pseudonyms')
    .option('--json', 'print the result as JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
  $ anatomy evaluate ${protocol} --run runs/first --data pairs.csv
  $ anatomy evaluate ${protocol} --run runs/folds --features pooled --json > ${protocol}.json
  $ anatomy evaluate ${protocol} --run runs/first --data Dataset_BUSI_with_GT --out runs/first/busi
See also: anatomy pretrain --fold all, anatomy data split`,
    )
    .action((flags: Flags) => judge(program, protocol, flags));
}

async function judge(program: Command, protocol: Protocol, flags: Flags): Promise<void> {
  await checkEvaluationFlags(flags);
  const data = await askedData(flags);
  const folder = await resultFolder(flags);
  const [{ evaluate }, { evaluationJson, saveEvaluation }, { formatEvaluation }] = await Promise.all([
    import('../evaluation/evaluate.js'),
    import('../evaluation/results/saveEvaluation.js'),
    import('../evaluation/results/evaluationTable.js'),
  ]);
  const console = consoleOf(program);
  const { out: _, keepIds, json, ...options } = flags;
  const result = await evaluate({ ...options, protocol, data, console });
  const saved = saveEvaluation(folder, result, { keepIds });
  process.stdout.write(json ? `${evaluationJson(result)}\n` : formatEvaluation(result));
  console.success(`${saved.json} and ${saved.predictions}`);
}
