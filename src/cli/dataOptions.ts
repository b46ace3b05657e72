import { type Command, InvalidArgumentError } from 'commander';

/** Flags of every command that opens data. */
export interface DataFlags {
  data?: string;
  dataB?: string;
  column?: Record<string, string | null>;
  positive?: string;
}

/** @param data what `--data` names here */
export function addDataOptions(
  command: Command,
  data = 'manifest (CSV), folder of images, or phantom:breast[,pairs=400,seed=0]',
): Command {
  return command
    .option('--data <path>', data)
    .option('--data-b <path>', 'second of two folders matched by file name')
    .option(
      '--column <role=name...>',
      'column of the manifest for a role, such as a=flair label=diagnosis; label=null: no such column',
      addColumn,
    )
    .option('--positive <class>', 'the class that counts as positive, against all others');
}

function addColumn(pair: string, columns: Record<string, string | null> = {}) {
  const [role, name] = pair.split(/=(.*)/s);
  if (!role || !name) throw new InvalidArgumentError('Expected role=name, such as label=diagnosis.');
  return { ...columns, [role]: name === 'null' ? null : name };
}
