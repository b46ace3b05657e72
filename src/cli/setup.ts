/** The command `anatomy setup`: it builds the engine where the package was installed. */
import type { Command } from 'commander';

export function registerSetup(program: Command): void {
  program
    .command('setup')
    .description(
      'Build the engine against LibTorch; compiler and LibTorch are installed by apt where that may be.',
    )
    .addHelpText(
      'after',
      `
Needed once after npm install, and again after an update. As root, or where sudo asks for no password, apt-get installs what
is missing; else its line is printed for somebody who may. LIBTORCH names another LibTorch, such as python's with CUDA.

Example:
  $ anatomy setup
See also: anatomy doctor`,
    )
    .action(async () => {
      const { setUp } = await import('../../tools/steps.mjs');
      await setUp();
    });
}
