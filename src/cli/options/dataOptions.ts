import { type Command, InvalidArgumentError, Option } from 'commander';
import { WHAT_DATA_IS } from '../../data/open/dataNames.js';

/** The flags of every command that opens data. */
export interface DataFlags {
  data?: string;
  dataB?: string;
  column?: Record<string, string | null>;
  positive?: string;
  classes?: string[];
  spellings?: 'join' | 'keep';
  drop?: string;
}

/** Adds the flags that name the data. @param data the help of `--data` */
export function addDataOptions(command: Command, data: string = WHAT_DATA_IS): Command {
  return command
    .option('--data <path>', data)
    .option('--data-b <path>', 'second of two folders matched by file name, or of two volumes')
    .option(
      '--column <role=name...>',
      'column of the manifest for a role, such as a=flair label=diagnosis; label=null: no such column; fold=null: without published folds',
      addColumn,
    )
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
