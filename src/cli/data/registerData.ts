/**
 * This room is the command `anatomy data`, which checks, aligns, splits, packs, shows and draws data. Each file adds one
 * subcommand.
 */
import type { Command } from 'commander';
import { registerDataAlign } from './align.js';
import { registerDataCheck } from './check.js';
import { registerDataPack } from './pack.js';
import { registerDataPhantom } from './phantom.js';
import { registerDataPreview } from './preview.js';
import { registerDataSplit } from './split.js';

export function registerData(program: Command): void {
  const data = program.command('data').description('Check, align, split, pack and look at data.');
  for (const register of [
    registerDataCheck,
    registerDataAlign,
    registerDataSplit,
    registerDataPreview,
    registerDataPack,
    registerDataPhantom,
  ])
    register(program, data);
}
