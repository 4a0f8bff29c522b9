// What the program's exit codes mean; the manual lists them.

export const ExitCode = {
  ok: 0,
  /** The answer is no: a faulty configuration, a failed check, a service that could not do what was asked. */
  failed: 1,
  /** The command line makes no sense: unknown command or flag, missing argument. */
  usage: 2,
  /** A fault of this program (EX_SOFTWARE, sysexits.h). */
  internal: 70,
} as const;

/** A failure to be reported in one line; thrown by commands, printed by main.ts. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = ExitCode.failed) {
    super(message);
    this.name = 'CommandFailure';
    this.exitCode = exitCode;
  }
}
