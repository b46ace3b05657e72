import path from 'node:path';
import { type Command, Option } from 'commander';
import type { Progress } from '../../log/progress.js';
import { consoleOf } from '../console.js';
import {
  addDataConfigOptions,
  type ConfigFlags,
  configSources,
  decimalNumber,
} from '../options/configOptions.js';
import { print, printJson } from '../output.js';
import { oneName } from './check.js';

interface AlignFlags extends ConfigFlags {
  out: string;
  reference?: string;
  run?: string;
  transformation: 'rigid' | 'similarity' | 'affine';
  gate: number;
  write?: boolean;
  overwrite?: boolean;
  json?: boolean;
}

export function registerDataAlign(program: Command, data: Command): void {
  addDataConfigOptions(data.command('align [dataset]'))
    .description('Register the images of each sample to one of them, where that can be believed.')
    .requiredOption('--out <folder>', 'the new data set: manifest, transformations, a page of all decisions')
    .option('--reference <modality>', 'the modality that the others are registered to (default: the first)')
    .option('--run <folder>', 'register by the maps of this run’s encoder, in place of elastix')
    .addOption(
      new Option('--transformation <kind>', 'what may change')
        .choices(['rigid', 'similarity', 'affine'])
        .default('rigid'),
    )
    .option(
      '--gate <px>',
      'the largest difference between the way there and back that is believed, in pixels of a picture of 224',
      decimalNumber,
      0.5,
    )
    .option('--write', 'write aligned images as PNG, in place of a manifest that names the images there are')
    .option('--overwrite', 'replace what this command wrote')
    .option('--json', 'print the decisions as JSON')
    .addHelpText(
      'after',
      `
Refused pairs stay as they are; OUT/refused.csv leaves them out. Interrupted, the same command goes on where it was.

Examples:
  $ anatomy data align pairs.csv --out aligned
  $ anatomy pretrain --data aligned --drop aligned/refused.csv --out runs/aligned
  $ anatomy data align pairs.csv --run runs/first --out aligned
  $ anatomy data align pairs.csv --transformation affine --reference photo --modalities photo angiogram --out aligned
See also: anatomy data check`,
    )
    .action((dataset: string | undefined, flags: AlignFlags) => align(program, dataset, flags));
}

async function align(program: Command, dataset: string | undefined, flags: AlignFlags): Promise<void> {
  const [
    { resolveConfig },
    { UsageError },
    { refuseUnwritable },
    { datasetSpec },
    { openDataset },
    { alignDataset, forgetJournal },
    { checkAlignedOut, checkNameable, checkNotAligned, writeAlignedFolder },
    { alignPage, decisionCounts },
    { Progress: ProgressBar },
    method,
  ] = await Promise.all([
    import('../../config/index.js'),
    import('../../errors.js'),
    import('../../files.js'),
    import('../../training/datasetSpec.js'),
    import('../../data/openDataset.js'),
    import('../../data/align/alignDataset.js'),
    import('../../data/write/alignedFolder.js'),
    import('../../report/align/alignPage.js'),
    import('../../log/progress.js'),
    flags.run === undefined
      ? import('../../data/align/registrars.js')
      : import('../../use/register/encoderRegistration.js'),
  ]);
  const { gate, overwrite, write = false, transformation: kind } = flags;
  if (!(gate > 0))
    throw new UsageError(`--gate is ${gate}, expected a number of pixels above 0, such as 0.5`);
  const out = path.relative(process.cwd(), flags.out) || '.';
  refuseUnwritable(out);
  const console = consoleOf(program);
  const named = await oneName('data align', dataset, flags.data);
  const opened = await openDataset(datasetSpec(resolveConfig(configSources({ ...flags, data: named }))), {
    positive: 'optional',
    onWarning: (message) => console.warn(message),
  });
  await checkAlignedOut(out, opened, overwrite);
  checkNotAligned(opened);
  if (!write) checkNameable(opened);
  const reference = flags.reference ?? opened.modalities[0]!;
  const journal = `${path.resolve(out)}.begun.jsonl`;
  const interrupted = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => interrupted.abort(signal);
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  let progress: Progress | undefined;
  let registered = 0;
  try {
    const alignment = await alignDataset(opened, {
      method:
        'byEncoder' in method
          ? method.byEncoder(flags.run!, opened.modalities, (message) => console.warn(message))
          : method.elastix(kind),
      ...{ reference, kind, gate, journal, overwrite },
      signal: interrupted.signal,
      onWarning: (message) => console.warn(message),
      onProgress: (done, total) => {
        registered = done;
        progress ??= new ProgressBar(total, console, { title: 'registering' });
        progress.update(done);
      },
    });
    progress?.stop();
    await writeAlignedFolder(out, opened, alignment, {
      ...{ overwrite, write },
      onWarning: (message) => console.warn(message),
      page: await alignPage(opened, alignment),
      command: `anatomy data align DATA --reference ${reference}${flags.run === undefined ? '' : ' --run RUN'} --transformation ${kind} --gate ${gate}${write ? ' --write' : ''} --out FOLDER`,
      signal: interrupted.signal,
    });
    forgetJournal(journal);
    const counts = decisionCounts(alignment);
    if (flags.json) printJson({ out, ...counts, ...alignment });
    else print(`${out}\n`);
    console.success(
      `${counts.moved} moved, ${counts.kept} kept, ${counts.refused} refused; look at ${out}/index.html`,
    );
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    progress?.stop();
    console.warn(
      `${interrupted.signal.reason}: ${registered} images are registered; the same command goes on from there`,
    );
    process.exitCode = interrupted.signal.reason === 'SIGINT' ? 130 : 143;
  } finally {
    progress?.stop();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
