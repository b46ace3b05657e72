export type BuildState = 'built' | 'stale' | 'missing';

export function typeScriptState(root: string): BuildState;
export function buildTypeScript(
  root: string,
  options: { log: (line: string) => void; started?: (child: { readonly pid?: number | undefined }) => void },
): Promise<void>;
