/** What the log of a cell says of its last attempt. */

/** The beginning of the line that opens an attempt: the command follows. */
export const ATTEMPT = '$ OMP_NUM_THREADS=';

/** The beginning of the line that closes an attempt that failed; the reason follows. */
export const FAILED = 'failed: ';

/** @returns why the last attempt failed; undefined while it is at work, or where it was interrupted or finished */
export function failureIn(log: string): string | undefined {
  const own = lastAttempt(log);
  // Older versions left the words of the program alone.
  return /^failed: (.*)$/m.exec(own)?.[1] ?? errorIn(log);
}

/** @returns the error that the program of the last attempt printed */
export function errorIn(log: string): string | undefined {
  return /^error: (.*)$/m.exec(lastAttempt(log))?.[1];
}

function lastAttempt(log: string): string {
  return log.slice(log.lastIndexOf(`\n${ATTEMPT}`) + 1);
}
