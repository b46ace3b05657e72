import { UsageError } from '../../errors.js';

/**
 * Makes a folder's name from a name: `SimCLR (strong)` → `simclr-strong`.
 * @throws UsageError when nothing of the name is left
 */
export function folderOf(name: string, where: string): string {
  const folder = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  if (folder === '') throw new UsageError(`${where}: the name needs a letter a–z or a digit, for its folder`);
  return folder;
}
