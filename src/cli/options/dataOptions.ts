import { type Command, InvalidArgumentError, Option } from 'commander';
import { WHAT_DATA_IS } from '../../data/open/dataNames.js';

/** The flags of every command that opens data. */
export interface DataFlags {
  /** The place of the data, or the place of each modality by its name. */
  data?: string | Record<string, string>;
  dataB?: string;
  modalities?: string[];
  subject?: string;
  imageRoot?: string;
  column?: Record<string, string | null>;
  positive?: string;
  classes?: string[];
  spellings?: 'join' | 'keep';
  drop?: string;
}

/** The names of those flags. */
export const DATA_FLAGS = [
  ...(['data', 'dataB', 'modalities', 'subject', 'imageRoot', 'column', 'positive', 'classes'] as const),
  ...(['spellings', 'drop'] as const),
] satisfies (keyof DataFlags)[];

/** Adds the flags that name the data. @param data the help of `--data` */
export function addDataOptions(command: Command, data: string = WHAT_DATA_IS): Command {
  parseListsOfData(command);
  return command
    .option('--data <path>', data, addPlace)
    .option('--data-b <path>', 'second of two folders matched by file name, or of two volumes')
    .option(
      '--modalities <names>',
      'modalities in their order, such as flair t1 t1c: columns of the manifest, else a choice of what is there',
      addNames,
    )
    .option(
      '--column <role=name...>',
      'column of the manifest for a role, such as a=flair label=diagnosis; label=null: no such column; fold=null: without published folds',
      addColumn,
    )
    .option('--image-root <folder>', 'where image paths of the manifest begin, if not beside it')
    .option('--subject <regex>', "names the patient in file names or ids, such as '^(P\\d+)'")
    .option('--positive <class>', 'the class that counts as positive, against all others')
    .option('--classes <name...>', 'only samples of these classes, such as benign malignant normal')
    .addOption(
      new Option(
        '--spellings <what>',
        'subjects or classes that differ in case, spaces, zeros or Unicode form alone: join (default) or keep apart',
      ).choices(['join', 'keep']),
    )
    .option('--drop <file>', 'samples to leave out, as anatomy data check --drop-list writes them');
}

export function addColumn(pair: string, columns: Record<string, string | null> = {}) {
  const [role, name] = pair.split(/=(.*)/s);
  if (!role || !name) throw new InvalidArgumentError('Expected role=name, such as label=diagnosis.');
  return { ...columns, [role]: name === 'null' ? null : name };
}

/** A modality's name and its place, such as `flair=DIR`. Names of phantoms and paths with a folder have another form. */
const NAMED_PLACE = /^([^\s=/\\:,]+)=(.+)$/s;

/**
 * Lets `--data flair=DIR t1=DIR` and `--modalities flair t1` take several words, but no others after them. Commander's
 * own lists would take the command's arguments too, as in `experiment run --data flair=DIR t1=DIR table.yaml`.
 */
function parseListsOfData(command: Command): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (words) => parse(withRepeatedFlags(words));
}

/** Puts the flag before each of the words that belong to its list. */
function withRepeatedFlags(words: readonly string[]): string[] {
  const repeated: string[] = [];
  let list: { flag: string; takes: (word: string) => boolean } | undefined;
  for (const [i, word] of words.entries()) {
    if (word === '--') return [...repeated, ...words.slice(i)];
    const [, flag, value] = /^(--data|--modalities)(?:=(.*))?$/s.exec(word) ?? [];
    const isValue = flag === undefined && list !== undefined && words[i - 1] === list.flag;
    if (flag !== undefined) list = undefined;
    else if (!isValue && list?.takes(word)) repeated.push(list.flag);
    else if (!isValue) list = undefined;
    repeated.push(word);
    const first = flag === undefined ? undefined : (value ?? words[i + 1]);
    if (flag === '--data' && first !== undefined && NAMED_PLACE.test(first)) {
      list = { flag, takes: (next) => NAMED_PLACE.test(next) && !next.startsWith('-') };
    } else if (flag === '--modalities') {
      // A word with a dot, slash or colon is more likely the file, folder or phantom of the command.
      list = { flag, takes: (next) => /^[^-./\\:][^./\\:]*$/.test(next) };
    }
  }
  return repeated;
}

/** Takes one `--data`: a path, or a modality's name and its path. */
function addPlace(word: string, before?: DataFlags['data']): DataFlags['data'] {
  const [, name, place] = NAMED_PLACE.exec(word) ?? [];
  if (name === undefined) {
    if (before === undefined) return word;
    const first =
      typeof before === 'string' ? before : Object.entries(before).map((pair) => pair.join('='))[0];
    throw new InvalidArgumentError(
      `--data is given twice, ${first} and ${word}. Two folders are --data A --data-b B, or --data NAME=A NAME=B.`,
    );
  }
  if (typeof before === 'string') {
    throw new InvalidArgumentError(
      `--data ${before} names no modality. Name each, --data NAME=${before} ${word}, or write ./${word} for a path.`,
    );
  }
  if (before !== undefined && Object.hasOwn(before, name)) {
    throw new InvalidArgumentError(`The modality ${name} is given twice, ${before[name]} and ${place}.`);
  }
  return { ...before, [name]: place! };
}

/** Takes one word of `--modalities`, which may hold several names with commas between them. */
function addNames(word: string, before: string[] = []): string[] {
  const names = word.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('Expected names, such as flair t1 t1c.');
  return [...before, ...names];
}

/** The data that the flags name, as keys of `DatasetSpec`. */
export function dataOf(flags: DataFlags) {
  const { data, dataB, modalities, subject, imageRoot, column, positive, classes, spellings, drop } = flags;
  const place = typeof data === 'object' ? { folders: data } : { path: data };
  return {
    ...{ ...place, pathB: dataB, columns: column, modalities, subject, imageRoot },
    ...{ positive, classes, spellings, drop },
  };
}
