/** This room is the command line: each file adds one command, reads its flags, and prints what the library returns. */
import { Command } from 'commander';
import { nearest } from '../text/nearest.js';
import { packageVersion } from '../version.js';
import { registerComplete } from './complete.js';
import { registerConfig } from './config.js';
import { registerData } from './data/registerData.js';
import { registerDoctor } from './doctor.js';
import { registerEmbed } from './embed.js';
import { registerEvaluate } from './evaluate.js';
import { registerExperiment } from './experiment.js';
import { registerExport } from './export.js';
import { registerFit } from './fit.js';
import { registerPredict } from './predict.js';
import { registerPretrain } from './pretrain.js';
import { registerReport } from './report.js';
import { registerServe } from './serve.js';
import { registerSetup } from './setup.js';
import { registerSimilar } from './similar.js';

/** Makes the command line without running it. Parsing throws a CommanderError instead of ending the process. */
export function anatomyProgram(): Command {
  const program = new Command('anatomy')
    .description('Self-supervised pretraining on aligned pairs of medical images, and its judgement.')
    .version(packageVersion())
    .option('-q, --quiet', 'only warnings and errors on stderr')
    .option('-v, --verbose', 'details, and stack traces of errors');
  for (const register of [
    registerPretrain,
    registerEvaluate,
    registerEmbed,
    registerFit,
    registerPredict,
    registerSimilar,
    registerExperiment,
    registerReport,
    registerServe,
    registerExport,
    registerData,
    registerConfig,
    registerDoctor,
    registerSetup,
    registerComplete,
  ]) {
    register(program);
  }
  setErrors(program, 'anatomy');
  // Commander would show the help of the last command that it knows, and end with 0.
  program.addHelpText('beforeAll', () => {
    const { command, rest } = commandOf(program, program.args);
    const [word] = rest;
    if (command.commands.length > 0 && word !== undefined && !word.startsWith('-')) refuse(command, word);
    return '';
  });
  return program;
}

/** Follows words to the last command that they name. @returns it, and the words after its name */
export function commandOf(program: Command, words: readonly string[]): { command: Command; rest: string[] } {
  let command = program;
  const rest = [...words];
  while (rest.length > 0) {
    const next = command.commands.find((one) => one.name() === rest[0]);
    if (next === undefined && (rest[0] !== 'help' || command.commands.length === 0)) break;
    rest.shift();
    command = next ?? command;
  }
  return { command, rest };
}

/** Ends as commander does for an unknown command without `--help`. */
function refuse(command: Command, word: string): void {
  const names = command.commands.map((one) => one.name());
  const meant = nearest(word, names);
  const hint = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
  command.error(`error: unknown command '${word}'${hint}`, { code: 'commander.unknownCommand' });
}

/** Sets how errors end, for each command by itself, as errors point to its own help. */
function setErrors(command: Command, words: string): void {
  command.exitOverride().showHelpAfterError(`(see ${words} --help)`);
  for (const one of command.commands) setErrors(one, `${words} ${one.name()}`);
}
