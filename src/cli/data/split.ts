import type { Command } from 'commander';
import { type Fold, foldNames, SET_ASIDE } from '../../data/fold.js';
import { countImages, hasImage, presentAmong } from '../../data/presence.js';
import type { Dataset, Sample } from '../../data/sample.js';
import type { Splits } from '../../data/splits/splits.js';
import type { MessageConsole } from '../../log/console.js';
import type { Progress } from '../../log/progress.js';
import { consoleOf } from '../console.js';
import {
  addDataConfigOptions,
  type ConfigFlags,
  configSources,
  wholeNumber,
} from '../options/configOptions.js';
import { print, printJson } from '../output.js';

/** The kinds of duplicates that share a fold. */
const DUPLICATES = ['near', 'exact', 'ignore'] as const;

interface SplitFlags extends ConfigFlags {
  out: string;
  folds?: number;
  seed: number;
  setAside?: number;
  duplicates: (typeof DUPLICATES)[number];
  json?: boolean;
}

export function registerDataSplit(program: Command, data: Command): void {
  addDataConfigOptions(data.command('split'))
    .description(
      'Stratified k-fold by subject, seeded, that keeps duplicates together; writes the folds as JSON.',
    )
    .requiredOption('--out <file>', 'the splits file')
    .option('--folds <k>', 'number of folds (default: 5, or as published with the data)', wholeNumber(2))
    .option('--seed <n>', 'seed', wholeNumber(), 0)
    .option(
      '--set-aside <n>',
      'keep about n subjects, stratified, out of all folds and all pretraining, for one last anatomy evaluate logreg --set-aside',
      wholeNumber(1),
    )
    .option(
      '--duplicates <kind>',
      'which duplicates share a fold: near (exact ones included), exact, or ignore: none is looked for',
      'near',
    )
    .option('--json', 'print the counts as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ anatomy data split --data pairs.csv --folds 5 --seed 0 --out splits.json
  $ anatomy data split --data pairs.csv --set-aside 20 --out splits.json
  $ anatomy data split --data Dataset_BUSI_with_GT --drop drop.csv --out splits.json
See also: anatomy data check, anatomy pretrain --splits`,
    )
    .action((flags: SplitFlags) => split(consoleOf(program), flags));
}

async function split(console: MessageConsole, flags: SplitFlags): Promise<void> {
  const [
    { resolveConfig },
    { openDataset },
    { makeSplits, saveSplits },
    { datasetSpec },
    { existsSync },
    { UsageError },
    { refuseUnwritableFile },
  ] = await Promise.all([
    import('../../config/index.js'),
    import('../../data/openDataset.js'),
    import('../../data/splits/splits.js'),
    import('../../training/datasetSpec.js'),
    import('node:fs'),
    import('../../errors.js'),
    import('../../files.js'),
  ]);
  const { out, folds, seed, setAside, duplicates: kind, json } = flags;
  if (existsSync(out)) throw new UsageError(`${out} exists; choose another --out`);
  refuseUnwritableFile(out, '--out');
  if (!DUPLICATES.includes(kind)) {
    throw new UsageError(`--duplicates is ${kind}, expected one of ${DUPLICATES.join(', ')}`);
  }
  const onWarning = (message: string) => console.warn(message);
  const spec = datasetSpec(resolveConfig(configSources(flags)));
  const dataset = await openDataset(spec, { onWarning });
  const duplicates = await duplicatesIn(dataset, kind, console);
  const splits = makeSplits(dataset, { folds, seed, setAside, duplicates, onWarning });
  await saveSplits(splits, out);
  warnOfLargestUnit(dataset, splits, console);
  warnOfModalities(dataset, splits, console);
  const counts = countsOf(dataset, splits);
  const tied = tiedCounts(splits);
  if (json) printJson({ out, source: splits.source, folds: counts, tied });
  else print(`${counts.map(describeFold).join('')}${describeTies(tied, kind)}`);
}

async function duplicatesIn(dataset: Dataset, kind: SplitFlags['duplicates'], console: MessageConsole) {
  if (kind === 'ignore') return [];
  const [{ findDuplicates }, log] = await Promise.all([
    import('../../data/audit/measures/duplicates.js'),
    import('../../log/progress.js'),
  ]);
  let progress: Progress | undefined;
  const found = await findDuplicates(dataset, {
    onProgress: (done, total) => {
      progress ??= new log.Progress(total, console, { title: 'looking for duplicates' });
      progress.update(done);
    },
  }).finally(() => progress?.stop());
  const { samples } = dataset;
  const duplicates = found.filter((group) => kind === 'near' || group.kind === 'exact');
  const torn = duplicates.filter(({ members }) => {
    const distinct = (role: 'subject' | 'label') => new Set(members.map((i) => samples[i]![role])).size;
    return distinct('subject') > 1 && distinct('label') > 1;
  });
  if (torn.length > 0) {
    const example = torn[0]!.members.map((i) => `"${samples[i]!.id}" (${samples[i]!.label})`).join(', ');
    console.warn(
      `Duplicates of different classes: ${torn.length}, such as ${example}. Their labels cannot all be right: ` +
        'look at them, and leave out what is wrong with --drop.',
    );
  }
  return duplicates;
}

/** Warns when patients or duplicates that stay together are more than a fold's share. */
function warnOfLargestUnit(
  { samples }: Dataset,
  { folds, groups, k }: Splits,
  console: MessageConsole,
): void {
  const groupOf = new Map(Object.entries(groups));
  const sizes = new Map<string, { name: string; size: number; fold: Fold }>();
  for (const { id, subject } of samples) {
    if (folds[id] === SET_ASIDE) continue; // the part set aside is as large as was asked for
    const group = groupOf.get(id);
    const name = group === undefined ? `the subject "${subject}"` : `the group "${group}"`;
    sizes.set(name, { name, size: (sizes.get(name)?.size ?? 0) + 1, fold: folds[id]! });
  }
  const share = Math.ceil(samples.length / k);
  const largest = [...sizes.values()].reduce((most, unit) => (unit.size > most.size ? unit : most));
  if (largest.size <= share) return;
  console.warn(
    `${largest.name} has ${largest.size} of ${samples.length} samples, which must stay together: fold ${largest.fold} is ` +
      `larger than its share of ${share}.`,
  );
}

/** Warns of folds none of whose samples has a modality, and of modalities that one fold has alone. */
function warnOfModalities({ samples, modalities }: Dataset, splits: Splits, console: MessageConsole): void {
  for (const modality of modalities) {
    const having = samples.filter((sample) => hasImage(sample, modality));
    if (having.length === samples.length) continue;
    const folds = new Set(having.map(({ id }) => splits.folds[id]!));
    const without = foldsOf(splits).filter((fold) => !folds.has(fold));
    if (without.length > 0) {
      console.warn(
        `No sample ${without.length === 1 ? 'of fold' : 'of the folds'} ${foldNames(without)} has an image of ${modality}, ` +
          'so nothing is judged by it there. Fewer folds, or another --seed, may help.',
      );
    }
    const [only, ...others] = [...folds].filter((fold) => fold !== SET_ASIDE);
    if (only !== undefined && others.length === 0) {
      console.warn(
        `All samples with an image of ${modality} are in fold ${only}, so none is left to train on when that fold is judged.`,
      );
    }
  }
}

/** The folds, and the part set aside where there is one. */
function foldsOf({ folds, k }: Splits): Fold[] {
  const numbered: Fold[] = Array.from({ length: k }, (_, fold) => fold);
  return Object.values(folds).includes(SET_ASIDE) ? [...numbered, SET_ASIDE] : numbered;
}

interface FoldCount {
  fold: Fold;
  pairs: number;
  subjects: number;
  classes: Record<string, number>;
  /** The images of each modality; absent where no sample of the data lacks one. */
  images?: Record<string, number>;
}

function countsOf({ samples, modalities }: Dataset, splits: Splits): FoldCount[] {
  const names = [...new Set(samples.map(labelOf))].sort();
  const complete = presentAmong(samples, modalities) === undefined;
  return foldsOf(splits).map((fold) => {
    const members = samples.filter(({ id }) => splits.folds[id] === fold);
    const classes = Object.fromEntries(
      names.map((name) => [name, members.filter((sample) => labelOf(sample) === name).length]),
    );
    const subjects = new Set(members.map(({ subject }) => subject)).size;
    const images = Object.fromEntries(modalities.map((one) => [one, countImages(members, [one])]));
    return { fold, pairs: members.length, subjects, classes, ...(!complete && { images }) };
  });
}

function labelOf({ label = 'unlabelled' }: Pick<Sample, 'label'>): string {
  return label;
}

interface TiedCount {
  groups: number;
  samples: number;
}

function tiedCounts({ groups }: Splits): TiedCount {
  const names = Object.values(groups);
  return { groups: new Set(names).size, samples: names.length };
}

function describeFold({ fold, pairs, subjects, classes, images }: FoldCount): string {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const name = fold === SET_ASIDE ? 'set aside' : `fold ${fold}`;
  const [unit, seen] = images === undefined ? ['pairs', ''] : ['samples', `; images ${list(images)}`];
  return `${name}: ${pairs} ${unit} of ${subjects} subjects (${list(classes)})${seen}\n`;
}

function describeTies({ groups, samples }: TiedCount, kind: SplitFlags['duplicates']): string {
  if (kind === 'ignore') return 'duplicates were not looked for\n';
  const which = kind === 'near' ? 'exact and near' : 'exact';
  if (groups === 0) return `no ${which} duplicates across subjects\n`;
  const counted = groups === 1 ? '1 group' : `${groups} groups`;
  return `${which} duplicates tie ${samples} samples into ${counted}, each in one fold\n`;
}
