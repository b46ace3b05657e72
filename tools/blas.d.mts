export function systemBlas(libraries?: string): string | null;
export function judgeBlas(path: string): { readonly name: string; readonly fast: boolean };
