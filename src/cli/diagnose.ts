/** What this machine has and lacks, for `anatomy doctor`. */
import picocolors from 'picocolors';
import { judgeBlas } from '../../tools/blas.mjs';
import { aptLine, INSTALL_LINE, PIP_LINE, whyNoLibTorch } from '../../tools/libtorch.mjs';
import { type LoadedAddon, type Machine, thisMachine } from './machine.js';

/** The outcome of a check. With `missing` nothing works; with `warn` it works, but more slowly or not for long. */
export type CheckStatus = 'ok' | 'warn' | 'missing';

export type CheckName =
  | 'Node'
  | 'C++ compiler'
  | 'LibTorch'
  | 'addon'
  | 'BLAS'
  | 'CPU'
  | 'CUDA'
  | 'threads'
  | 'memory'
  | 'cache'
  | 'dist';

export interface Check {
  readonly name: CheckName;
  readonly status: CheckStatus;
  readonly found: string;
  /** One line that mends the problem. */
  readonly fix?: string;
}

export interface DoctorOptions {
  /** Print the report as JSON. */
  json?: boolean;
}

const BYTES_PER_GIB = 2 ** 30;
/**
 * The memory in bytes below which there is no room for the addon's compiler or for a training step at a useful size.
 */
const LEAST_MEMORY = 2 * BYTES_PER_GIB;

/**
 * Prints what this machine has and lacks.
 * @returns the exit code: 4 without LibTorch or the addon, 1 if anything else needed is missing
 */
export async function doctor(options: DoctorOptions = {}): Promise<number> {
  const machine = thisMachine();
  const checks = await diagnose(machine);
  const exitCode = exitCodeOf(checks);
  const text = options.json
    ? JSON.stringify({ ok: exitCode === 0, exitCode, checks }, null, 2)
    : renderChecks(checks, picocolors, machine.setupLine);
  process.stdout.write(`${text}\n`);
  return exitCode;
}

export function exitCodeOf(checks: readonly Check[]): number {
  const missing = checks.filter((check) => check.status === 'missing').map((check) => check.name);
  if (missing.includes('LibTorch') || missing.includes('addon')) return 4;
  return missing.length > 0 ? 1 : 0;
}

/**
 * Runs all checks, in the order in which things depend on each other. Changes nothing; loads the addon if there is one.
 */
export async function diagnose(machine: Machine = thisMachine()): Promise<Check[]> {
  const addon = await tryAddon(machine);
  return [
    checkNode(machine),
    checkCompiler(machine, addon),
    checkLibTorch(machine),
    checkAddon(machine, addon),
    checkBlas(machine, addon),
    checkCpu(machine),
    checkCuda(machine, addon),
    checkThreads(machine, addon),
    checkMemory(machine),
    checkCache(machine),
    checkDist(machine),
  ];
}

async function tryAddon(machine: Machine): Promise<LoadedAddon | Error> {
  try {
    return await machine.loadAddon();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function checkNode({ nodeVersion }: Machine): Check {
  const name = 'Node';
  if (Number.parseInt(nodeVersion, 10) >= 20) return { name, status: 'ok', found: nodeVersion };
  return {
    name,
    status: 'missing',
    found: `${nodeVersion}, expected 20 or newer`,
    fix: 'install it from https://nodejs.org/en/download',
  };
}

/** Checks for a compiler, which only building the addon needs. */
function checkCompiler({ compiler }: Machine, addon: LoadedAddon | Error): Check {
  const name = 'C++ compiler';
  if (compiler !== undefined) return { name, status: 'ok', found: compiler };
  const found = 'none on PATH';
  return { name, status: addon instanceof Error ? 'missing' : 'warn', found, fix: INSTALL_LINE };
}

function checkLibTorch({ libTorch: { torch, rejected } }: Machine): Check {
  const name = 'LibTorch';
  if (torch === null) {
    const wrong = rejected.find(({ source }) => source === 'LIBTORCH');
    const fix = wrong
      ? 'unset LIBTORCH, or set it to a folder with include/ and lib/libtorch_cpu.so'
      : `${INSTALL_LINE}   or without root: ${PIP_LINE}`;
    return { name, status: 'missing', found: whyNoLibTorch(rejected), fix };
  }
  const passed = rejected.length > 0 ? `; passed over: ${whyNoLibTorch(rejected)}` : '';
  const kind = torch.cuda ? 'with CUDA' : 'CPU only';
  return {
    name,
    status: 'ok',
    found: `${torch.version}, ${kind}, in ${torch.lib} (${torch.source})${passed}`,
  };
}

function checkAddon(
  { libTorch: { torch }, addonState, buildFolder, setupLine }: Machine,
  addon: LoadedAddon | Error,
): Check {
  const name = 'addon';
  if (addon instanceof Error && !buildFolder.writable) {
    const found = `${addon.message} It is built in ${buildFolder.folder}, which you cannot write`;
    const fix = `${setupLine}, as the user who installed the package`;
    return { name, status: 'missing', found, fix };
  }
  if (addon instanceof Error) return { name, status: 'missing', found: addon.message, fix: setupLine };
  const { build, torchVersion } = addon;
  const found = `built against LibTorch ${build.torch.version} in ${build.torch.root}, loads`;
  if (torchVersion !== build.torch.version) {
    const status = 'missing';
    return { name, status, found: `${found}, but is LibTorch ${torchVersion}`, fix: setupLine };
  }
  if (torch === null) return { name, status: 'ok', found };
  if (torch.root !== build.torch.root || torch.version !== build.torch.version) {
    const other = `${found}; a new build would use ${torch.version} in ${torch.root}`;
    return { name, status: 'warn', found: other, fix: setupLine };
  }
  if (addonState(torch) !== 'built') {
    return { name, status: 'warn', found: `${found}, but native/ has changed since`, fix: setupLine };
  }
  return { name, status: 'ok', found };
}

function checkBlas({ libTorch: { torch }, blas }: Machine, addon: LoadedAddon | Error): Check {
  const name = 'BLAS';
  const loaded = !(addon instanceof Error);
  if (!loaded && torch === null) return { name, status: 'ok', found: 'told once LibTorch is there' };
  const path = !loaded && torch?.systemBlas === false ? undefined : blas(loaded);
  if (path === undefined) return { name, status: 'ok', found: "LibTorch's own" };
  const { name: library, fast } = judgeBlas(path);
  if (fast) return { name, status: 'ok', found: `${library}: ${path}` };
  return {
    name,
    status: 'warn',
    found: `${library}: ${path}; matrix products are several times slower than with OpenBLAS on all cores`,
    fix: aptLine(['libopenblas0-pthread']),
  };
}

function checkCpu({ cpu: { model, cores, bf16 } }: Machine): Check {
  const gain = bf16
    ? 'multiplies bf16 in hardware: `precision: auto` takes bf16'
    : 'has neither avx512_bf16 nor amx_bf16: `precision: auto` takes fp32';
  return { name: 'CPU', status: 'ok', found: `${model}, ${cores} cores; ${gain}` };
}

function checkCuda({ gpus, setupLine }: Machine, addon: LoadedAddon | Error): Check {
  const name = 'CUDA';
  const devices = addon instanceof Error ? 0 : addon.cudaDevices;
  const seen = gpus.join('; ');
  if (devices > 0)
    return { name, status: 'ok', found: `${devices} usable: ${seen || 'no nvidia-smi to name them'}` };
  if (gpus.length === 0) return { name, status: 'ok', found: 'no NVIDIA GPU; runs on the CPU' };
  if (addon instanceof Error) {
    return {
      name,
      status: 'warn',
      found: `${seen}; usable or not is told once the addon loads`,
      fix: setupLine,
    };
  }
  return addon.build.torch.cuda
    ? {
        name,
        status: 'warn',
        found: `${seen}, but LibTorch cannot use it`,
        fix: 'update the driver, see: nvidia-smi',
      }
    : {
        name,
        status: 'warn',
        found: `${seen}, but this LibTorch is for CPUs only`,
        fix: `${PIP_LINE} && ${setupLine}`,
      };
}

function checkThreads(machine: Machine, addon: LoadedAddon | Error): Check {
  const name = 'threads';
  const { cores, hardwareThreads } = machine.cpu;
  if (addon instanceof Error)
    return { name, status: 'ok', found: `told once the addon loads; ${cores} cores` };
  const found = `LibTorch uses ${addon.threads} on ${cores} cores`;
  if (addon.threads >= cores && addon.threads <= hardwareThreads) return { name, status: 'ok', found };
  return { name, status: 'warn', found, fix: `export OMP_NUM_THREADS=${cores}` };
}

function checkMemory({ freeMemory }: Machine): Check {
  const found = `${(freeMemory / BYTES_PER_GIB).toFixed(1)} GiB free`;
  if (freeMemory >= LEAST_MEMORY) return { name: 'memory', status: 'ok', found };
  return { name: 'memory', status: 'warn', found, fix: 'close other programs, or lower training.batchSize' };
}

function checkCache({ cache: { folder, writable } }: Machine): Check {
  if (writable) return { name: 'cache', status: 'ok', found: folder };
  return {
    name: 'cache',
    status: 'warn',
    found: `${folder} cannot be written; decoded images have nowhere to stay`,
    fix: 'export XDG_CACHE_HOME=/a/folder/you/may/write, or set data.cacheFolder',
  };
}

function checkDist({ typeScript, setupLine }: Machine): Check {
  const name = 'dist';
  if (typeScript === 'built') return { name, status: 'ok', found: 'up to date' };
  return typeScript === 'stale'
    ? { name, status: 'warn', found: 'older than src/', fix: setupLine }
    : { name, status: 'missing', found: 'not built', fix: setupLine };
}

/**
 * Formats the report for people: a line for each check, the remedy below it, the verdict at the end. Without the engine
 * the verdict names the one command that takes all its steps.
 */
export function renderChecks(
  checks: readonly Check[],
  colors: Pick<ReturnType<typeof picocolors.createColors>, 'green' | 'yellow' | 'red' | 'dim'>,
  setupLine: string,
): string {
  const signs = { ok: colors.green('✓'), warn: colors.yellow('!'), missing: colors.red('✗') };
  const width = Math.max(...checks.map((check) => check.name.length));
  const lines = checks.flatMap(({ name, status, found, fix }) => [
    `${signs[status]} ${name.padEnd(width)}  ${found}`,
    ...(fix === undefined ? [] : [`  ${' '.repeat(width)}  ${colors.dim('fix:')} ${fix}`]),
  ]);
  const count = (status: CheckStatus) => checks.filter((check) => check.status === status).length;
  const missing = count('missing');
  const warnings = count('warn');
  const verdict = missing > 0 ? `${missing} missing` : 'Everything needed is there';
  const remedy = exitCodeOf(checks) === 4 ? ` This installs what it may, and builds: ${setupLine}` : '';
  return [...lines, '', `${verdict}${warnings > 0 ? `, ${warnings} to improve` : ''}.${remedy}`].join('\n');
}
