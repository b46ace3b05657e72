import type { BuildState } from './buildTypeScript.mjs';
import type { LibTorch } from './libtorch.mjs';

export function nativeState(torch: LibTorch): BuildState;

export const BUILD_FOLDER: string;
export function headerFolders(): string[];
