// anabranch check FILE: is the configuration right? All faults at once, each with its place and its remedy.

import type { Command } from 'commander';
import { formatFault } from '../config/fault.ts';
import { ExitCode } from './exit-code.ts';
import { loadConfigFile } from './load-config.ts';

const EXAMPLES = `
Examples:
  anabranch check gateway.yaml          file:line:column key: what is wrong — what would be right
  anabranch check --json gateway.yaml   the same for a program: { file, ok, faults }
  anabranch check - < gateway.yaml      from standard input

Exit codes: 0 the file is right, 1 it is not, 2 wrong usage.`;

export function register(program: Command): void {
  program
    .command('check')
    .description('check a configuration file')
    .argument('<file>', 'YAML file, or - for standard input')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((file: string, { json = false }: { json?: boolean }) => check(file, json));
}

async function check(file: string, json: boolean): Promise<void> {
  const parsed = await loadConfigFile(file);
  const faults = 'faults' in parsed ? parsed.faults : [];
  if (json) console.log(JSON.stringify({ file, ok: faults.length === 0, faults }, null, 2));
  else if (faults.length > 0) for (const fault of faults) console.error(formatFault(fault));
  else console.log(`${file}: good`);
  if (faults.length > 0) process.exitCode = ExitCode.failed;
}
