type Environment = Readonly<Record<string, string | undefined>>;

export function findProgram(name: string, environment?: Environment): string | null;
export function compilerCommand(environment?: Environment): string[];
