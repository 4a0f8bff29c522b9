// How the commands of the lab run: with the rights that namespaces need, and with errors in words.

import { LabError, LabErrorCode } from '../lab/lab-error.ts';
import { enterUserNamespace, mayMakeNamespaces } from '../lab/user-namespace.ts';
import { CliError } from './cli-error.ts';

/**
 * Does `work` where namespaces can be made: here, or in a user namespace, by running this very command line again in one
 * and ending with its exit code.
 */
export async function withNamespaces(work: () => Promise<void>): Promise<void> {
  await withLabErrors(async () => {
    if (mayMakeNamespaces()) return work();
    process.exitCode = await enterUserNamespace([process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
  });
}

const EXIT_CODES: Readonly<Partial<Record<LabErrorCode, number>>> = {
  [LabErrorCode.topology]: 2,
  [LabErrorCode.unknownName]: 2,
  [LabErrorCode.missing]: 3,
};

/** Turns what the lab complains about into one message and an exit code. */
export async function withLabErrors(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof LabError) throw new CliError(error.message, EXIT_CODES[error.code] ?? 1);
    throw error;
  }
}
