import type { EvaluateOptions } from '../../evaluation/planEvaluation.js';
import { configSources } from './configOptions.js';
import { DATA_FLAGS, type DataFlags, dataOf } from './dataOptions.js';

/** The flags of every protocol. */
export interface EvaluationFlags extends DataFlags {
  run: string;
  dataConfig?: string;
  splits?: string;
  setAside?: boolean;
  features?: EvaluateOptions['features'];
  seed: number;
  replicates: number;
  device?: string;
  precision?: EvaluateOptions['precision'];
  out?: string;
  json?: boolean;
}

/**
 * The folder that results go to, checked before the work begins. A `--run` that is no folder is reported later, when
 * the run is opened.
 */
export async function resultFolder({ run, out }: Pick<EvaluationFlags, 'run' | 'out'>): Promise<string> {
  const [{ refuseUnwritable }, { statSync }, { join }] = await Promise.all([
    import('../../files.js'),
    import('node:fs'),
    import('node:path'),
  ]);
  const folder = out ?? join(run, 'evaluation');
  const isRun = statSync(run, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (out !== undefined || isRun) refuseUnwritable(folder);
  return folder;
}

/** The data that the flags name. A file of --data-config names all of it. */
export async function askedData(
  flags: DataFlags & Pick<EvaluationFlags, 'dataConfig'>,
): Promise<EvaluateOptions['data']> {
  const { dataConfig } = flags;
  if (dataConfig === undefined) return dataOf(flags);
  const [{ resolveConfig }, { datasetSpec }] = await Promise.all([
    import('../../config/index.js'),
    import('../../training/datasetSpec.js'),
  ]);
  const named = Object.fromEntries(DATA_FLAGS.map((key) => [key, flags[key]]));
  const sources = configSources({ ...named, config: dataConfig });
  return { ...datasetSpec(resolveConfig(sources)), complete: true };
}

/** @throws UsageError for a word that a flag does not know */
export async function checkEvaluationFlags(
  flags: Pick<EvaluationFlags, 'precision' | 'device'>,
): Promise<void> {
  const { UsageError } = await import('../../errors.js');
  const oneOf = (name: string, value: string | undefined, known: readonly string[]) => {
    if (value !== undefined && !known.includes(value)) {
      throw new UsageError(`--${name} is ${value}, expected one of ${known.join(', ')}`);
    }
  };
  oneOf('precision', flags.precision, ['auto', 'fp32', 'bf16', 'fp16']);
  if (flags.device !== undefined && !/^(auto|cpu|cuda(:\d+)?)$/.test(flags.device)) {
    throw new UsageError(`--device is ${flags.device}, expected auto, cpu, cuda or cuda:1`);
  }
}
