/** The command `anatomy fit`: a model from a run and all labelled samples. */
import type { Command } from 'commander';
import { intervalName, tooFew } from '../evaluation/results/fewSubjects.js';
import { fixed, interval } from '../text/numbers.js';
import { consoleOf } from './console.js';
import { decimalNumber, wholeNumber } from './options/configOptions.js';
import { addDataOptions } from './options/dataOptions.js';
import { askedData, checkEvaluationFlags, type EvaluationFlags } from './options/evaluationOptions.js';
import { print, printJson } from './output.js';

interface Flags
  extends Pick<EvaluationFlags, 'run' | 'dataConfig' | 'device' | 'precision' | 'seed' | 'json'> {
  out: string;
  features?: string;
  images?: string;
  threshold?: string;
  finetune?: boolean;
  preset?: string;
  epochs?: number;
  learningRate?: number;
  batchNorm?: 'train' | 'frozen';
  classWeights?: 'none' | 'balanced';
  folds?: number;
  overwrite?: boolean;
}

export function registerFit(program: Command): void {
  const command = program
    .command('fit')
    .description('Fit a probe on all labelled samples, calibrated, as one file that anatomy predict asks.')
    .requiredOption('--run <folder>', 'the --out folder of anatomy pretrain')
    .requiredOption('--out <file>', 'the model, a safetensors file');
  addDataOptions(command, 'the labelled images (default: those of the run)')
    .option('--data-config <file>', 'config whose data section names the data')
    .option(
      '--features <kind>',
      'pooled, head or maps (default: pooled; of --finetune what the preset reads)',
    )
    .option(
      '--images <set>',
      'the modalities it looks at, such as a, a+b or any (default: all; any where images are missing)',
    )
    .option(
      '--threshold <rule>',
      'youden, half, sensitivity=0.9 or specificity=0.9, by out-of-fold probabilities (default: youden)',
    )
    .option('--finetune', 'train the encoder too, as anatomy evaluate finetune does, in each fold and on all')
    .option('--preset <name>', 'of --finetune: hu, simclr or layer-decay (default: hu)')
    .option('--epochs <n>', 'of --finetune, in place of the preset’s', wholeNumber(1))
    .option('--learning-rate <x>', 'of --finetune, in place of the preset’s', decimalNumber)
    .option('--batch-norm <mode>', 'of --finetune: frozen or train (default: the preset’s)')
    .option('--class-weights <kind>', 'of --finetune: none or balanced (default: none)')
    .option('--folds <k>', 'folds by subject for calibration and threshold (default: 5)', wholeNumber(2))
    .option('--seed <n>', 'of the folds', wholeNumber(), 0)
    .option('--device <name>', 'auto, cpu, cuda or cuda:1 (default: auto)')
    .option('--precision <name>', 'auto, fp32, bf16 or fp16 (default: that of the training)')
    .option('--overwrite', 'replace a file that is there')
    .option('--json', 'print what is known of the model as JSON on stdout')
    .addHelpText(
      'after',
      `
The probe is that of anatomy evaluate logreg. A temperature makes its probabilities fit what happened out of fold. The
file holds features of the training samples, to tell how far new ones are, but no ids and no images. Research only.

Examples:
  $ anatomy fit --run runs/first --out model.safetensors
  $ anatomy fit --run runs/first --data manifest.csv --positive malignant --threshold sensitivity=0.95 --out model.safetensors
  $ anatomy fit --run runs/first --finetune --preset simclr --out model.safetensors
See also: anatomy predict, anatomy evaluate logreg, docs/use.md`,
    )
    .action(async (flags: Flags) => {
      const { fitModel } = await import('../use/fit/fit.js');
      await checkEvaluationFlags(flags);
      const { run, out, features, images, threshold, folds, seed, device, precision, overwrite } = flags;
      const console = consoleOf(program);
      const { finetune, preset, epochs, learningRate, batchNorm, classWeights } = flags;
      const training = { preset, epochs, learningRate, batchNorm, classWeights };
      if (!finetune) await refuseTraining(training);
      const model = await fitModel({
        ...{ run, out, features, images, threshold, folds, seed, device, precision, overwrite, console },
        ...{ finetune, training },
        data: await askedData(flags),
      });
      if (flags.json) printJson({ file: out, ...model });
      else print(`${out}\n`);
      const { data, outOfFold, threshold: chosen, classes } = model;
      const { auc, transductive, folds: k } = outOfFold;
      const few = tooFew({ subjects: data.subjects, perClass: data.subjectsPerClass, classes });
      const seen = transductive === 'yes' ? ', transductive: the encoder has seen these images' : '';
      console.info(
        `${data.samples} samples of ${data.subjects} subjects; out of ${k} folds AUC ${fixed(auc.value)} (${intervalName(few)} ${interval(auc.low, auc.high)}${seen})`,
      );
      if (chosen !== undefined) {
        console.info(
          `a sample is called ${classes[1]} above ${fixed(chosen.value)}: out of fold, sensitivity ${fixed(chosen.sensitivity)} and specificity ${fixed(chosen.specificity)}, a little high, as they chose it`,
        );
      }
      console.success(`${out}; ${model.use}`);
    });
}

/** @throws UsageError for a setting of a training that is not asked for */
async function refuseTraining(training: Readonly<Record<string, unknown>>): Promise<void> {
  const given = Object.keys(training).find((key) => training[key] !== undefined);
  if (given === undefined) return;
  const { UsageError } = await import('../errors.js');
  const flag = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new UsageError(`--${flag} is a setting of finetuning; add --finetune, or leave it out`);
}
