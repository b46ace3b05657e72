import type { Command } from 'commander';
import type { EvaluatePairsOptions } from '../evaluation/pairs/evaluatePairs.js';
import { FEWEST_REPLICATES } from '../replicates.js';
import { wholeNumber } from './configOptions.js';
import { consoleOf } from './console.js';
import { addDataOptions, type DataFlags } from './dataOptions.js';

interface Flags extends DataFlags {
  run: string;
  dataConfig?: string;
  splits?: string;
  setAside?: boolean;
  masks?: string;
  pairs?: number;
  seed: number;
  replicates: number;
  device?: string;
  precision?: EvaluatePairsOptions['precision'];
  out?: string;
  json?: boolean;
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
  await checkFlags(flags);
  const { askedData, resultFolder } = await import('./evaluate.js');
  const data = await askedData(flags);
  const folder = await resultFolder(flags);
  const [{ evaluatePairs }, { pairsJson, savePairs }, { formatClaims }, { pairsRecord }] = await Promise.all([
    import('../evaluation/pairs/evaluatePairs.js'),
    import('../evaluation/pairs/save.js'),
    import('../report/claimsTable.js'),
    import('../report/pairsRecord.js'),
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

async function checkFlags(flags: Flags): Promise<void> {
  const { UsageError } = await import('../errors.js');
  if (flags.precision !== undefined && !['auto', 'fp32', 'bf16', 'fp16'].includes(flags.precision)) {
    throw new UsageError(`--precision is ${flags.precision}, expected one of auto, fp32, bf16, fp16`);
  }
  if (flags.device !== undefined && !/^(auto|cpu|cuda(:\d+)?)$/.test(flags.device)) {
    throw new UsageError(`--device is ${flags.device}, expected auto, cpu, cuda or cuda:1`);
  }
}
