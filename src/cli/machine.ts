/** Finds out what `anatomy doctor` wants to know about this machine. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, freemem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemBlas } from '../../tools/blas.mjs';
import { BUILD_FOLDER, nativeState } from '../../tools/buildNative.mjs';
import { type BuildState, typeScriptState } from '../../tools/buildTypeScript.mjs';
import { compilerCommand, findProgram } from '../../tools/command.mjs';
import { type LibTorch, type LibTorchSearch, searchLibTorch } from '../../tools/libtorch.mjs';
import { defaultCacheRoot } from '../data/cache/cacheFolders.js';
import { supportsBf16, usableCores } from '../tensor/cpu.js';
import type { NativeBuild } from '../tensor/native.js';
import { shellWords } from '../text/shell.js';
import { invocation } from './invocation.js';

/** The addon after it has been loaded. */
export interface LoadedAddon {
  readonly build: NativeBuild;
  readonly torchVersion: string;
  readonly cudaDevices: number;
  readonly threads: number;
}

/** The facts about a machine that `anatomy doctor` looks at. Tests give it another machine. */
export interface Machine {
  readonly nodeVersion: string;
  /** The first line of the compiler's `--version`. */
  readonly compiler: string | undefined;
  readonly libTorch: LibTorchSearch;
  addonState(torch: LibTorch): BuildState;
  /** Loads the addon. @throws EngineMissingError when it is not built or does not load */
  loadAddon(): Promise<LoadedAddon>;
  /**
   * The BLAS that serves LibTorch: the one in memory, else the one the system would give it. Call it after `loadAddon`.
   */
  blas(loaded: boolean): string | undefined;
  readonly cpu: {
    readonly model: string;
    /** The number of hardware threads that this process may use, and the number of cores that they are on. */
    readonly hardwareThreads: number;
    readonly cores: number;
    readonly bf16: boolean;
  };
  /** One line for each NVIDIA GPU that the driver knows. */
  readonly gpus: readonly string[];
  readonly freeMemory: number;
  readonly cache: { readonly folder: string; readonly writable: boolean };
  readonly typeScript: BuildState;
  /** Where the addon is built, and whether this user may. */
  readonly buildFolder: { readonly folder: string; readonly writable: boolean };
  /** The command that installs and builds what is missing, as it is typed here. */
  readonly setupLine: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

export function thisMachine(environment: NodeJS.ProcessEnv = process.env): Machine {
  return {
    nodeVersion: process.versions.node,
    compiler: compilerVersion(environment),
    libTorch: searchLibTorch(environment),
    addonState: nativeState,
    loadAddon,
    blas: (loaded) => (loaded ? mappedBlas() : systemBlas()) ?? undefined,
    cpu: {
      model: cpus()[0]?.model.trim() || process.arch,
      hardwareThreads: availableParallelism(),
      cores: usableCores(),
      bf16: supportsBf16(),
    },
    gpus: nvidiaGpus(),
    freeMemory: freeMemory(),
    cache: { folder: defaultCacheRoot(), writable: canCreate(defaultCacheRoot()) },
    typeScript: typeScriptState(root),
    buildFolder: { folder: BUILD_FOLDER, writable: canCreate(BUILD_FOLDER) },
    setupLine: shellWords([...invocation(), 'setup']),
  };
}

/** The import is here and not at the top, since importing this module must not need LibTorch. */
async function loadAddon(): Promise<LoadedAddon> {
  const { native, nativeBuild } = await import('../tensor/native.js');
  const engine = native();
  return {
    build: nativeBuild(),
    torchVersion: engine.torchVersion,
    cudaDevices: engine.cudaDevices,
    threads: engine.getThreads(),
  };
}

function compilerVersion(environment: NodeJS.ProcessEnv): string | undefined {
  const [program = '', ...first] = compilerCommand(environment);
  const path = findProgram(program, environment);
  return path === null ? undefined : (firstLine(path, [...first, '--version']) ?? path);
}

function nvidiaGpus(): string[] {
  const query = ['--query-gpu=name,compute_cap,memory.total', '--format=csv,noheader'];
  return output('nvidia-smi', query)?.split('\n').filter(Boolean) ?? [];
}

function output(program: string, parameters: readonly string[]): string | undefined {
  try {
    return execFileSync(program, parameters, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

function firstLine(program: string, parameters: readonly string[]): string | undefined {
  return output(program, parameters)?.split('\n')[0];
}

/**
 * Finds the BLAS that this process has mapped. libblas.so comes first, as other libraries may bring an OpenBLAS of
 * their own along.
 */
function mappedBlas(): string | undefined {
  if (!existsSync('/proc/self/maps')) return undefined;
  const mapped = readFileSync('/proc/self/maps', 'utf8').match(/\/\S+\.so\S*$/gm) ?? [];
  return [/libblas\.so/, /openblas|libmkl|libblis|armpl|nvpl/]
    .map((pattern) => mapped.find((path) => pattern.test(path)))
    .find((path) => path !== undefined);
}

/** The free memory in bytes: the rest of a container's limit where there is one, which Node tells from 20.13 on. */
function freeMemory(): number {
  return process.availableMemory?.() ?? freemem();
}

/** True when the folder is writable or could be made. It is not made. */
function canCreate(folder: string): boolean {
  let place = folder;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
