/** The command `anatomy doctor`. */
import type { Command } from 'commander';
import type { DoctorOptions } from './diagnose.js';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Say what this machine has, what is missing, and the one line that mends it.')
    .option('--json', 'print the checks as JSON')
    .addHelpText('after', '\nExit codes: 0 all there, 4 no LibTorch or addon, 1 something else is missing.')
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import('./diagnose.js');
      process.exitCode = await doctor(options);
    });
}
