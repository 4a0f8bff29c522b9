#!/usr/bin/env node
// Entry point of the command `anabranch`. Turns whatever a command throws into one line and an exit code: nobody is
// shown a stack trace, unless ANABRANCH_TRACE asks for it.

import { CommanderError } from 'commander';
import { CliError } from './cli-error.ts';
import { createProgram } from './program.ts';

/** Wrong usage; the other codes are listed in cli-error.ts. */
const USAGE = 2;
/** A fault of this program (EX_SOFTWARE, sysexits.h). */
const INTERNAL = 70;

// `anabranch config schema | head` closes our output early, and that is nobody's fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  // Commander has said what there is to say: help and version end well, everything else is a matter of usage.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof CliError) {
    console.error(`anabranch: ${error.message}`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  const trace = process.env.ANABRANCH_TRACE && error instanceof Error ? `\n${error.stack}` : '';
  console.error(`anabranch: internal error: ${message}; set ANABRANCH_TRACE=1 to see where, and report it${trace}`);
  return INTERNAL;
}
