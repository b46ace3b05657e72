/** What stops the set-up: a cause and its remedy for people, and the exit code (4: LibTorch or the compiler is missing). */
export class Failure extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}
