import type { LibTorchSearch } from './libtorch.mjs';

export function missingPackages(
  machine: Pick<LibTorchSearch, 'torch'> & {
    compiler?: string | null;
    blas?: string | null;
    gloo?: boolean;
    fonts?: boolean;
  },
): { readonly required: string[]; readonly recommended: string[] };
