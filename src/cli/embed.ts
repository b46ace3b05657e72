/** The command `anatomy embed`: features of images by the encoder of a run. */
import type { Command } from 'commander';
import { consoleOf } from './console.js';
import { wholeNumber } from './options/configOptions.js';
import { addDataOptions } from './options/dataOptions.js';
import { askedData, checkEvaluationFlags, type EvaluationFlags } from './options/evaluationOptions.js';
import { print, printJson } from './output.js';

interface Flags extends Pick<EvaluationFlags, 'run' | 'dataConfig' | 'device' | 'precision' | 'json'> {
  out: string;
  format?: string;
  features: string;
  patches?: string;
  images?: string;
  overwrite?: boolean;
  processes?: number;
}

export function registerEmbed(program: Command): void {
  const embed = program
    .command('embed')
    .description('Write the features of images, a row for each sample. Labels are not needed.')
    .requiredOption('--run <folder>', 'the --out folder of anatomy pretrain')
    .requiredOption(
      '--out <file>',
      'ends with .npy, .csv, .parquet or .safetensors; a folder for the projector',
    );
  addDataOptions(embed, 'the images (default: those of the run)')
    .option('--data-config <file>', 'config whose data section names the data')
    .option('--features <kind>', 'pooled, head, maps, or a map in patches: map0 … map4', 'pooled')
    .option('--patches <grid>', 'of a map: averages over cells, such as 7x7 (default: every pixel)')
    .option('--images <set>', 'the modalities in a row, such as a, a+b or any (default: all, side by side)')
    .option('--format <name>', 'npy, csv, parquet, safetensors or projector (default: by the ending)')
    .option('--device <name>', 'auto, cpu, cuda or cuda:1 (default: auto)')
    .option('--precision <name>', 'auto, fp32, bf16 or fp16 (default: that of the training)')
    .option(
      '--processes <n>',
      'compute by so many processes on this machine, one for each GPU; on several machines start it by torchrun or srun',
      wholeNumber(1),
    )
    .option('--overwrite', 'replace a file that is there')
    .option('--json', 'print what was written as JSON on stdout')
    .addHelpText(
      'after',
      `
The file holds the ids and labels of the data as they are: it is yours, and nobody else's pseudonym. Where an image is
missing, cells of a table are empty and numbers of an array are NaN.

Examples:
  $ anatomy embed --run runs/first --data manifest.csv --out features.parquet
  $ anatomy embed --run runs/first --data flair=DIR t1=DIR --images flair --out flair.npy
  $ anatomy embed --run runs/first --features map3 --patches 7x7 --out patches.safetensors
  $ anatomy embed --run runs/first --format projector --out projector
See also: anatomy evaluate, docs/use.md`,
    )
    .action(async (flags: Flags) => {
      const { chooseGpu, placeOf } = await import('../training/processes.js');
      const place = placeOf();
      if (place !== undefined) chooseGpu(place);
      const { processes = 1 } = flags;
      if (processes > 1) {
        const { runTogether } = await import('./processes.js');
        process.exitCode = await runTogether(processes, place);
        return;
      }
      const { embedData } = await import('../use/embed/embed.js');
      await checkEvaluationFlags(flags);
      const { run, out, format, features, patches, images, device, precision, overwrite } = flags;
      const console = consoleOf(program);
      const summary = await embedData({
        ...{ run, out, format, features, patches, images, device, precision, overwrite, console },
        data: await askedData(flags),
      });
      if (place !== undefined && place.rank > 0) return;
      if (flags.json) printJson(summary);
      else print(`${summary.files[0]}\n`);
      const missing = summary.incomplete === 0 ? '' : `, ${summary.incomplete} of them without an image`;
      console.success(
        `${summary.samples} samples${missing}, ${summary.columns} features each: ${summary.files.join(', ')}`,
      );
    });
}
