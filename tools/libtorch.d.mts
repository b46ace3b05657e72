/** A LibTorch the addon can be built against. */
export interface LibTorch {
  readonly source: 'LIBTORCH' | 'python3' | 'system';
  readonly root: string;
  readonly include: readonly string[];
  readonly lib: string;
  readonly version: string;
  readonly cuda: boolean;
  readonly cxx11Abi: boolean;
  readonly rpath: readonly string[];
  /** It multiplies matrices with the system's BLAS instead of one of its own. */
  readonly systemBlas: boolean;
}

/** A place that looked like LibTorch and why it cannot be used. */
export interface Rejected {
  readonly source: LibTorch['source'];
  readonly root: string;
  readonly problem: string;
}

export interface LibTorchSearch {
  readonly torch: LibTorch | null;
  readonly rejected: readonly Rejected[];
}

export function aptLine(
  packages: readonly string[],
  machine?: { readonly root?: boolean; readonly lists?: string },
): string;
export const INSTALL_LINE: string;
export const PIP_LINE: string;
export function supported(version: string): boolean;
export function searchLibTorch(
  environment?: Readonly<Record<string, string | undefined>>,
  systemRoots?: readonly string[],
): LibTorchSearch;
export function whyNoLibTorch(rejected: readonly Rejected[]): string;
