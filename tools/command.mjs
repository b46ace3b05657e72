// Other programs: is one there, and running one.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { Failure } from './failure.mjs';

/** The file that `name` would run, or null. */
export function findProgram(name, environment = process.env) {
  const places = isAbsolute(name)
    ? [name]
    : (environment.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  for (const place of places) {
    try {
      accessSync(place, constants.X_OK);
      if (statSync(place).isFile()) return place;
    } catch {
      // not there: the next folder
    }
  }
  return null;
}

/** The C++ compiler and its first arguments: CXX as make reads it, else c++. */
export function compilerCommand(environment = process.env) {
  return (environment.CXX?.trim() || 'c++').split(/\s+/);
}

/**
 * Runs a program with all its output on standard error: standard output is for data.
 * `started` gets the child, so that whoever is asked to stop can stop it too.
 */
export function run(program, parameters, { cwd, environment = process.env, started } = {}) {
  return new Promise((resolve, reject) => {
    const line = [program, ...parameters].join(' ');
    const child = spawn(program, parameters, { cwd, env: environment, stdio: ['ignore', 2, 2] });
    started?.(child);
    child.on('error', (error) => reject(new Failure(`cannot run \`${line}\`: ${error.message}`)));
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Failure(`\`${line}\` ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
