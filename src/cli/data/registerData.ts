/**
 * This room is the command `anatomy data`, which checks, splits, packs, shows and draws data. Each file adds one
 * subcommand.
 */
import type { Command } from 'commander';
import { registerDataCheck } from './check.js';
import { registerDataPack } from './pack.js';
import { registerDataPhantom } from './phantom.js';
import { registerDataPreview } from './preview.js';
import { registerDataSplit } from './split.js';

export function registerData(program: Command): void {
  const data = program.command('data').description('Check, split, pack and look at data.');
  for (const register of [
    registerDataCheck,
    registerDataSplit,
    registerDataPreview,
    registerDataPack,
    registerDataPhantom,
  ])
    register(program, data);
}
