/** The command `anatomy export`, with a subcommand for each form that an encoder can leave in. */
import type { Command } from 'commander';
import type { MessageConsole } from '../log/console.js';
import { consoleOf } from './console.js';
import { wholeNumber } from './options/configOptions.js';
import { print, printJson } from './output.js';

interface Flags {
  run: string;
  out: string;
  modality?: string;
  overwrite?: boolean;
  json?: boolean;
  /** Of `onnx` alone. */
  preprocess?: boolean;
  /** Of `torchvision` alone. */
  branch?: number;
}

/** What a form is given: the flags, and the console for people. */
type Asked = Omit<Flags, 'json'> & { readonly console: MessageConsole };

interface ExportForm {
  readonly name: string;
  readonly summary: string;
  /** Adds the flags that only this form has. */
  readonly options: (command: Command) => Command;
  readonly help: string;
  /** Writes the file, tells people about it, and gives the result for programs. */
  readonly write: (asked: Asked) => Promise<{ readonly file: string }>;
}

const onnx: ExportForm = {
  name: 'onnx',
  summary: 'Write the encoder as ONNX: for browsers, Node, C++ and everything else that onnxruntime runs in.',
  options: (command) =>
    command.option('--preprocess', 'take 8-bit images of any size, and resize them inside the model'),
  help: `
Opset 17. The outputs are features (pooled), embedding (of the head) and map0 … of the stages, for any number of images; the
normalisation is inside. With --preprocess the input is one image, uint8 [height, width, 1 or 3]. Where onnxruntime-node is
installed, the file is run in it beside LibTorch, and the largest difference of each output is told.

Examples:
  $ anatomy export onnx --run runs/first --out encoder.onnx
  $ anatomy export onnx --run runs/first --out encoder.onnx --preprocess
See also: anatomy evaluate, anatomy report`,
  write: async (asked) => {
    const { exportRunOnnx } = await import('../use/exportRunOnnx.js');
    const written = await exportRunOnnx(asked);
    const { console } = asked;
    for (const { output, largest, scale } of written.check ?? []) {
      console.info(
        `${output}: within ${largest.toExponential(1)} of LibTorch, values up to ${scale.toPrecision(2)}`,
      );
    }
    if (written.check === null) {
      console.info('not checked: npm install --no-save onnxruntime-node, then export again with --overwrite');
    }
    return written;
  },
};

const safetensors: ExportForm = {
  name: 'safetensors',
  summary: 'Write the encoder with all that it takes to build and to feed it, for Python or this library.',
  options: (command) => command,
  help: `
The metadata holds one key, anatomy-ssl, whose JSON says backbone, width, input, modalities, method and the digest of the
data. docs/use.md builds the encoder in Python from it in 15 lines.

Example:
  $ anatomy export safetensors --run runs/first --out encoder.safetensors
See also: anatomy export torchvision, docs/use.md`,
  write: async (asked) => {
    const { exportSafetensors } = await import('../use/exportWeights.js');
    return exportSafetensors(asked);
  },
};

const torchvision: ExportForm = {
  name: 'torchvision',
  summary: 'Write the backbone alone, as safetensors with the names of torchvision’s or timm’s model.',
  options: (command) =>
    command.option('--branch <n>', 'the backbone, from 0, where the encoder has several', wholeNumber()),
  help: `
For load_state_dict of the public model with strict=False: classifiers are not in the file.

Example:
  $ anatomy export torchvision --run runs/first --out vgg.safetensors
See also: anatomy export safetensors, docs/use.md`,
  write: async (asked) => {
    const { exportTorchvision } = await import('../use/exportWeights.js');
    return exportTorchvision(asked);
  },
};

const card: ExportForm = {
  name: 'card',
  summary: 'Write a model card: what the encoder is, its data, its judgements, how to feed it.',
  options: (command) => command,
  help: `
Markdown, from the run's settings, provenance and evaluations. It names no patient, no path and no sample.

Example:
  $ anatomy export card --run runs/first --out README.md
See also: anatomy report, anatomy evaluate`,
  write: async ({ run, out, overwrite = false }) => {
    const [{ modelCard }, { makeFolderOf, refuseToReplace, writeFileAtomic }] = await Promise.all([
      import('../report/run/modelCard.js'),
      import('../files.js'),
    ]);
    refuseToReplace([out], out, overwrite);
    const text = modelCard(run);
    makeFolderOf(out);
    writeFileAtomic(out, text);
    return { file: out };
  },
};

/** The forms. A further one takes an entry here. */
const FORMS: readonly ExportForm[] = [onnx, safetensors, torchvision, card];

export function registerExport(program: Command): void {
  const command = program
    .command('export')
    .description('Write the encoder of a run in a form that other programs read.');
  for (const { name, summary, options, help, write } of FORMS) {
    options(
      command
        .command(name)
        .description(summary)
        .requiredOption(
          '--run <folder>',
          'the --out folder of anatomy pretrain; of --fold all, one of its folds',
        )
        .requiredOption('--out <file>', 'the file to write')
        .option('--modality <name>', 'whose encoder, where each modality has its own'),
    )
      .option('--overwrite', 'replace --out')
      .option('--json', 'print what was written as JSON on stdout')
      .addHelpText('after', help)
      .action(async ({ json, ...asked }: Flags) => {
        const written = await write({ ...asked, console: consoleOf(program) });
        if (json) printJson(written);
        else print(`${written.file}\n`);
      });
  }
}
