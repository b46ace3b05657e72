import type { Command } from 'commander';
import { FEWEST_REPLICATES } from '../metrics/replicates.js';
import { consoleOf } from './console.js';
import { wholeNumber } from './options/configOptions.js';
import { addDataOptions } from './options/dataOptions.js';
import {
  askedData,
  checkEvaluationFlags,
  type EvaluationFlags,
  resultFolder,
} from './options/evaluationOptions.js';

interface Flags extends EvaluationFlags {
  masks?: string;
  pairs?: number;
}

/** `anatomy evaluate pairs`, beside the probes. */
export function addPairs(program: Command, evaluate: Command): void {
  const command = evaluate
    .command('pairs')
    .description(
      'The paper’s claims on pairs, without labels: both losses, distance of mates, retrieval, agreement of patch similarities.',
    )
    .requiredOption('--run <folder>', 'the --out folder of anatomy pretrain, also of --fold all');
  addDataOptions(command, 'pairs to measure (default: the data of the run)')
    .option(
      '--data-config <file>',
      'YAML whose settings under data say what to measure and how it is read, in place of those of the run',
    )
    .option('--splits <file>', 'what this file of anatomy data split sets aside is not touched')
    .option('--set-aside', 'measure what anatomy data split --set-aside kept apart, and nothing else')
    .option('--masks <folder>', 'lesions as ID.png, not 0 inside; phantoms know their own')
    .option('--pairs <n>', 'pairs to measure at most, drawn by the seed (default: all)', wholeNumber(2))
    .option('--seed <n>', 'seed of batches, strangers, views, projections and bootstrap', wholeNumber(), 0)
    .option('--replicates <n>', 'bootstraps of the intervals', wholeNumber(FEWEST_REPLICATES), 2000)
    .option('--device <name>', 'auto, cpu, cuda or cuda:1 (default: auto)')
    .option('--precision <name>', 'auto, fp32, bf16 or fp16 (default: that of the training)')
    .option('--out <folder>', 'where the result goes (default: evaluation/ in the run)')
    .option('--json', 'print the result as JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
  $ anatomy evaluate pairs --run runs/first --data pairs.csv --masks masks
  $ anatomy evaluate pairs --run runs/phantom --pairs 200 --json > pairs.json
See also: docs/claims.md, anatomy report`,
    )
    .action((flags: Flags) => measure(program, flags));
}

async function measure(program: Command, flags: Flags): Promise<void> {
  await checkEvaluationFlags(flags);
  const data = await askedData(flags);
  const folder = await resultFolder(flags);
  const [{ evaluatePairs }, { pairsJson, savePairs }, { formatClaims }, { pairsRecord }] = await Promise.all([
    import('../evaluation/pairs/evaluatePairs.js'),
    import('../evaluation/results/savePairs.js'),
    import('../report/judged/claimsTable.js'),
    import('../evaluation/results/pairsRecord.js'),
  ]);
  const console = consoleOf(program);
  const { out: _, json, ...options } = flags;
  const result = await evaluatePairs({ ...options, data, console });
  const file = savePairs(folder, result);
  const text = pairsJson(result);
  const record = pairsRecord(text, file);
  process.stdout.write(json ? `${text}\n` : formatClaims([{ name: record.run.name, record }]));
  console.success(file);
}
