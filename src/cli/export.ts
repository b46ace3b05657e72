/** The command `anatomy export`, with a subcommand for each form that an encoder can leave in. */
import type { Command } from 'commander';
import type { MessageConsole } from '../log/console.js';
import { consoleOf } from './console.js';
import { print, printJson } from './output.js';

interface Flags {
  run: string;
  out: string;
  modality?: string;
  overwrite?: boolean;
  json?: boolean;
  /** Of `onnx` alone. */
  preprocess?: boolean;
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

/** The forms. A further one takes an entry here. */
const FORMS: readonly ExportForm[] = [onnx];

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
