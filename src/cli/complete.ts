/** The command `anatomy complete`: it prints the script by which a shell completes the others. */
import { Argument, type Command } from 'commander';
import { completedCommands } from './completion/commandTree.js';
import { completionScript, type Shell, shells } from './completion/scripts.js';

export function registerComplete(program: Command): void {
  program
    .command('complete')
    .description('Print the script by which a shell completes commands, flags and their values.')
    .addArgument(new Argument('<shell>', 'whose script').choices(shells))
    .addHelpText(
      'after',
      `
It completes anatomy, and npx anatomy too. The line belongs into ~/.bashrc, or into ~/.zshrc behind compinit.

Examples:
  $ source <(npx anatomy complete bash)
  $ source <(npx anatomy complete zsh)
  $ npx anatomy complete fish > ~/.config/fish/conf.d/anatomy.fish
See also: anatomy doctor`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell, completedCommands(program)));
    });
}
