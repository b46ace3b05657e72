/** Finds how this program was started, so that a command that it suggests works when it is typed. */
import { basename, delimiter, dirname, isAbsolute, relative } from 'node:path';

export interface Start {
  /** The file that Node runs. A link to it is not followed. */
  readonly script: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly folder: string;
}

const thisStart = (): Start => ({
  script: process.argv[1]!,
  environment: process.env,
  folder: process.cwd(),
});

/** The words that start this program again: `npx anatomy`, `anatomy` on the PATH, or Node with the path of the script. */
export function invocation({ script, environment, folder }: Start = thisStart()): string[] {
  if (basename(script) === 'anatomy') {
    // What npx runs has its folder on the PATH, and whoever types has not.
    if (environment.npm_lifecycle_event === 'npx') return ['npx', 'anatomy'];
    if ((environment.PATH ?? '').split(delimiter).includes(dirname(script))) return ['anatomy'];
  }
  const near = relative(folder, script);
  return ['node', near.startsWith('..') || isAbsolute(near) ? script : near];
}
