// An error meant for the person at the terminal: one sentence, and the exit code that goes with it.

/**
 * Exit codes: 0 all is well · 1 something failed, or a check found faults · 2 wrong usage or configuration ·
 * 3 something needed is not there (an address in use, no running anabranch) · 4 stopped with connections cut.
 */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
