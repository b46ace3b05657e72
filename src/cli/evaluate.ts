/** The command `anatomy evaluate`, with a subcommand for each protocol. */
import type { Command } from 'commander';
import type { ProtocolDefinition } from '../evaluation/protocols/definition.js';
import { protocols } from '../evaluation/protocols/registry.js';
import type { Setting } from '../evaluation/protocols/settings.js';
import type { Evaluation } from '../evaluation/results/evaluationResult.js';
import { FEWEST_REPLICATES } from '../metrics/replicates.js';
import { consoleOf } from './console.js';
import { decimalNumber, wholeNumber } from './options/configOptions.js';
import { addDataOptions } from './options/dataOptions.js';
import {
  askedData,
  checkEvaluationFlags,
  type EvaluationFlags,
  resultFolder,
} from './options/evaluationOptions.js';
import { print, toTerminal } from './output.js';

/** The flags of the command. The settings of the protocol are further keys, each under its name. */
interface Flags extends EvaluationFlags {
  masks?: string;
  keepIds?: boolean;
  overwrite?: boolean;
}

/** Where the result goes. */
interface Target {
  readonly folder: string;
  /** Whether it may take the place of an answer to another question. */
  readonly overwrite: boolean;
}

/** The output of a protocol. */
interface Outcome {
  readonly json: string;
  readonly text: string;
  /** The paths of the files that were written. */
  readonly files: readonly string[];
}

export function registerEvaluate(program: Command): void {
  const evaluate = program
    .command('evaluate')
    .description(
      'Judge a run by cross-validation over subjects, beside its untrained encoder and a thumbnail baseline.',
    );
  for (const protocol of protocols) addProtocol(program, evaluate, protocol);
}

function addProtocol(program: Command, evaluate: Command, protocol: ProtocolDefinition): void {
  const { name, summary, settings, help } = protocol;
  const command = evaluate
    .command(name)
    .description(summary)
    .requiredOption('--run <folder>', 'the --out folder of anatomy pretrain, also of --fold all');
  addDataOptions(command, help.data)
    .option('--data-config <file>', help.dataConfig)
    .option('--splits <file>', help.splits)
    .option('--set-aside', help.setAside);
  if (protocol.judges === 'labels') {
    command.option('--folds <k>', 'number of folds to draw (default: 5)', wholeNumber(2));
  } else {
    command.option('--masks <folder>', 'lesions as ID.png, not 0 inside; phantoms know their own');
  }
  for (const setting of Object.values(settings)) addSetting(command, setting);
  command
    .option('--seed <n>', help.seed, wholeNumber(), 0)
    .option('--replicates <n>', 'bootstraps of the intervals', wholeNumber(FEWEST_REPLICATES), 2000)
    .option('--device <name>', 'auto, cpu, cuda or cuda:1 (default: auto)')
    .option('--precision <name>', 'auto, fp32, bf16 or fp16 (default: that of the training)')
    .option('--out <folder>', help.out)
    .option('--overwrite', 'replace a result of the same name that answers another question');
  if (protocol.judges === 'labels') {
    command.option('--keep-ids', 'write ids and subjects as they are instead of pseudonyms');
  }
  command
    .option('--json', 'print the result as JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
${help.examples.map((example) => `  $ ${example}`).join('\n')}
See also: ${help.seeAlso}`,
    )
    .action((flags: Flags) => judge(program, protocol, flags));
}

function addSetting(command: Command, { flag, help, number, byDefault }: Setting): void {
  if (number === undefined) command.option(flag, help, byDefault as string | undefined);
  else
    command.option(
      flag,
      help,
      number === 'any' ? decimalNumber : wholeNumber(number.least),
      byDefault as number,
    );
}

async function judge(program: Command, protocol: ProtocolDefinition, flags: Flags): Promise<void> {
  await checkEvaluationFlags(flags);
  const data = await askedData(flags);
  const folder = await resultFolder(flags);
  const console = consoleOf(program);
  const { out: _, keepIds, overwrite = false, json, ...rest } = flags;
  const options = { ...rest, data, console };
  const outcome =
    protocol.judges === 'labels'
      ? await judgeLabels({ ...options, protocol: protocol.name }, { folder, overwrite, keepIds })
      : await measurePairs(options, { folder, overwrite });
  print(json ? `${outcome.json}\n` : outcome.text);
  console.success(outcome.files.join(' and '));
}

async function judgeLabels(
  options: Parameters<typeof import('../evaluation/evaluate.js')['evaluate']>[0],
  { folder, overwrite, keepIds }: Target & { readonly keepIds?: boolean },
): Promise<Outcome> {
  const [
    { evaluate },
    { refuseOtherQuestion },
    { evaluationJson, saveEvaluation },
    { formatEvaluation },
    { formatVerdicts },
  ] = await Promise.all([
    import('../evaluation/evaluate.js'),
    import('../evaluation/question.js'),
    import('../evaluation/saveEvaluation.js'),
    import('../evaluation/results/evaluationTable.js'),
    import('../evaluation/results/verdict.js'),
  ]);
  const result: Evaluation = await evaluate(options, (question) => {
    if (!overwrite) refuseOtherQuestion(folder, question);
  });
  const { json, predictions } = saveEvaluation(folder, result, { keepIds });
  // Programs that read the tables find them where they were; people see first what the tables come to.
  const short = toTerminal() ? formatVerdicts(result) : '';
  return { json: evaluationJson(result), text: short + formatEvaluation(result), files: [json, predictions] };
}

async function measurePairs(
  options: Parameters<typeof import('../evaluation/pairs/evaluatePairs.js')['evaluatePairs']>[0],
  { folder, overwrite }: Target,
): Promise<Outcome> {
  const [{ evaluatePairs }, { refuseOtherPairs }, { pairsJson, pairsPath, savePairs }, { formatClaims }] =
    await Promise.all([
      import('../evaluation/pairs/evaluatePairs.js'),
      import('../evaluation/pairs/pairsQuestion.js'),
      import('../evaluation/pairs/savePairs.js'),
      import('../evaluation/results/claimsTable.js'),
    ]);
  const record = await evaluatePairs(options, (question) => {
    if (!overwrite) refuseOtherPairs(pairsPath(folder, question), question);
  });
  const text = formatClaims([{ name: record.run.name, record }]);
  return { json: pairsJson(record), text, files: [savePairs(folder, record)] };
}
