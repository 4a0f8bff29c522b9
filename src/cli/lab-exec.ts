// anabranch lab exec HOST COMMAND…: a program on a host of a running lab, as if it had been started there.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Command } from 'commander';
import { LabError, LabErrorCode } from '../lab/lab-error.ts';
import { withLabErrors } from './lab-privileges.ts';

const EXAMPLES = `
Examples:
  anabranch lab exec client sh                     a shell on the host client
  anabranch lab exec server iperf3 --server        programs find their files where they always do
  anabranch lab exec --lab demo client ip address  in the lab named demo, when several run

Ends with the exit code of the program. Options come before the host's name; what follows it belongs to the program.`;

export function register(lab: Command): void {
  lab
    .command('exec')
    .description('run a program on a host of a running lab')
    .argument('<host>', 'host of the lab')
    .argument('<command...>', 'the program and its arguments')
    .option('--lab <id>', 'which lab, when several run')
    .passThroughOptions()
    .addHelpText('after', EXAMPLES)
    .action((host: string, command: string[], options: { lab?: string }) =>
      withLabErrors(() => exec(host, command, options.lab)),
    );
}

async function exec(host: string, command: readonly string[], id: string | undefined): Promise<void> {
  const [{ findRunningLabs, chooseLab, commandInside }, { mayMakeNamespaces }] = await Promise.all([
    import('../lab/running.ts'),
    import('../lab/user-namespace.ts'),
  ]);
  const lab = chooseLab(findRunningLabs(), id);
  const [program = '', ...args] = commandInside(lab, host, command, process.cwd());
  if (lab.inside === undefined && !mayMakeNamespaces()) {
    throw new LabError(LabErrorCode.missing, `the lab ${lab.record.id} belongs to root: run this as root too`);
  }
  process.exitCode = await run(program, args);
}

/** What ends this program is for the other one to hear; it has its own mind. */
const PASSED_ON = ['SIGTERM', 'SIGHUP'] as const;

function run(program: string, args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' });
  // The terminal sends ^C and ^\ to the program itself.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => undefined);
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(status ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}
