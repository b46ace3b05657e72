export function dependenciesInstalled(root: string): boolean;
