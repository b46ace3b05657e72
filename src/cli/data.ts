import type { Command } from 'commander';
import { registerDataCheck } from './dataCheck.js';
import { registerDataPack } from './dataPack.js';
import { registerDataPhantom } from './dataPhantom.js';
import { registerDataPreview } from './dataPreview.js';
import { registerDataSplit } from './dataSplit.js';

export function registerData(program: Command): void {
  const data = program.command('data').description('Check, split, pack and look at data.');
  for (const register of [
    registerDataCheck,
    registerDataPreview,
    registerDataSplit,
    registerDataPack,
    registerDataPhantom,
  ])
    register(program, data);
}
