/** The command `anatomy predict`: what a fitted model says of new images. */
import type { Command } from 'commander';
import { intervalName } from '../evaluation/results/fewSubjects.js';
import { fixed, interval, numbered } from '../text/numbers.js';
import type { Predictions } from '../use/predict/predict.js';
import { consoleOf } from './console.js';
import { addDataOptions } from './options/dataOptions.js';
import { askedData, checkEvaluationFlags, type EvaluationFlags } from './options/evaluationOptions.js';
import { print, printJson } from './output.js';
import { refusePage, writePage } from './pageFile.js';

interface Flags extends Pick<EvaluationFlags, 'dataConfig' | 'device' | 'precision' | 'json'> {
  model: string;
  out: string;
  page?: string;
  withImages?: boolean;
  overwrite?: boolean;
}

export function registerPredict(program: Command): void {
  const predict = program
    .command('predict')
    .description(
      'Ask a model of anatomy fit about new images: a CSV file, and a page of the cases to look at.',
    )
    .requiredOption('--model <file>', 'the --out file of anatomy fit')
    .requiredOption('--out <file>', 'the CSV file; subjects with several samples go to FILE.subjects.csv');
  addDataOptions(predict, 'the new images; labels are not needed')
    .option('--data-config <file>', 'config whose data section names the data')
    .option('--page <folder>', 'also write a page with the least and the most certain samples')
    .option(
      '--with-images',
      'show images on the page although they are no phantoms; mind whom you share it with',
    )
    .option('--device <name>', 'auto, cpu, cuda or cuda:1 (default: auto)')
    .option('--precision <name>', 'auto, fp32, bf16 or fp16 (default: that of the model)')
    .option('--overwrite', 'replace files that are there')
    .option('--json', 'print a summary as JSON on stdout')
    .addHelpText(
      'after',
      `
Columns: the probability of each class; the class that is called; the images that were looked at; nearer, the share of
held-out training samples that are nearer to the others than this one; unusual, whether that is above 0.99. A sample that
lacks an image the model needs has no probability and says why. Research only.

Examples:
  $ anatomy predict --model model.safetensors --data new.csv --out predictions.csv
  $ anatomy predict --model model.safetensors --data us=DIR swe=DIR --out predictions.csv --page page --with-images
See also: anatomy fit, docs/use.md`,
    )
    .action(async (flags: Flags) => {
      const { predict } = await import('../use/predict/predict.js');
      if (flags.page !== undefined) await refusePage(flags.page);
      await checkEvaluationFlags(flags);
      const { model, out, device, precision, overwrite } = flags;
      const console = consoleOf(program);
      const found = await predict({
        ...{ model, out, device, precision, overwrite, console },
        data: await askedData(flags),
      });
      const page =
        flags.page === undefined ? undefined : writePage(flags.page, await pageOf(found, flags.withImages));
      const files = page === undefined ? found.files : [...found.files, page];
      const { samples, subjects, auc, description } = found;
      const answered = samples.filter(({ probabilities }) => probabilities !== undefined);
      const summary = {
        files,
        data: found.dataset.name,
        samples: samples.length,
        predicted: answered.length,
        subjects: subjects.length,
        called: Object.fromEntries(
          description.classes.map((name) => [name, answered.filter(({ called }) => called === name).length]),
        ),
        unusual: answered.filter(({ unusual }) => unusual).length,
        auc,
        use: description.use,
      };
      if (flags.json) printJson(summary);
      else print(`${files.join('\n')}\n`);
      if (answered.length < samples.length) {
        console.warn(
          `${numbered(samples.length - answered.length, 'sample')} of ${samples.length} lack an image that the model needs and have no prediction; anatomy fit --images any makes a model that takes what there is`,
        );
      }
      // One or two of a few samples are no sign yet.
      if (summary.unusual >= 3 && summary.unusual > 0.05 * answered.length) {
        console.warn(
          `${summary.unusual} of ${answered.length} samples are farther from the training samples than 99 % of held-out ones, where 1 % would be expected: the images differ from those it learned from, so trust nothing here unchecked`,
        );
      }
      if (auc !== undefined) {
        console.info(
          `the data has labels: AUC ${fixed(auc.value)} (${intervalName(auc.few)} ${interval(auc.low, auc.high)})`,
        );
      }
      const calls = Object.entries(summary.called).map(([name, count]) => `${name} ${count}`);
      console.success(`${numbered(answered.length, 'sample')} (${calls.join(', ')}); ${description.use}`);
    });
}

async function pageOf(
  { dataset, samples, description, auc }: Predictions,
  withImages = false,
): Promise<string> {
  const { predictionPage } = await import('../report/cases/predictionPage.js');
  const { classes, threshold, use } = description;
  return predictionPage({ dataset, samples, classes, threshold: threshold?.value, auc, use, withImages });
}
