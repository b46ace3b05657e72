/** The facts about this machine's CPU that decide on precision, threads and kernels. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * Tells whether this CPU multiplies bf16 numbers in hardware, so that `precision: auto` gains by it: avx512_bf16 (AMD
 * from Zen 4, Intel from Cooper Lake) or amx_bf16. Elsewhere bf16 is emulated and slower than f32. Only Linux tells.
 */
export function supportsBf16(cpuinfo = readCpuinfo()): boolean {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [];
  return flags.includes('avx512_bf16') || flags.includes('amx_bf16');
}

/**
 * Counts the cores that this process may use. Two hardware threads share a core's arithmetic units, so LibTorch gains
 * nothing by more threads than this. By itself it takes half as many on some machines.
 */
export function usableCores(cpuinfo = readCpuinfo(), hardwareThreads = availableParallelism()): number {
  const processors = cpuinfo.split('\n\n');
  const cores = processors.map((text) => text.match(/^(physical id|core id)\s*:.*$/gm)?.join(' '));
  const known = new Set(cores.filter((core) => core !== undefined)).size;
  return known > 0 ? Math.min(known, hardwareThreads) : hardwareThreads;
}

/**
 * The largest number of threads that LibTorch is given. It starts every thread that it is asked for, and each operator
 * waits for all: with hundreds on a few cores, one multiplication takes seconds, and with thousands the machine stands.
 */
export function mostThreads(hardwareThreads = availableParallelism()): number {
  return Math.max(64, 4 * hardwareThreads);
}

function readCpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}

/**
 * Lists the instruction-set extensions that decide which kernels LibTorch chooses, such as `avx2 avx512f avx512_bf16`.
 */
export function instructionSet(cpuinfo = readCpuinfo()): string {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  const deciding = ['avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_bf16', 'avx512_fp16'];
  return deciding.filter((flag) => flags.has(flag)).join(' ') || process.arch;
}
