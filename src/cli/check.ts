// anabranch check FILE: is the configuration right? All faults at once, each with its place and its remedy.

import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { type Fault, formatFault } from '../config/fault.ts';
import { machineDefaults } from './config-source.ts';

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
  const faults = await faultsOf(file);
  if (json) console.log(JSON.stringify({ file, ok: faults.length === 0, faults }, null, 2));
  else if (faults.length > 0) for (const fault of faults) console.error(formatFault(fault));
  else console.log(`${file}: good`);
  if (faults.length > 0) process.exitCode = 1;
}

/** A file that cannot be read is a fault like any other. */
async function faultsOf(file: string): Promise<readonly Fault[]> {
  const fileName = file === '-' ? 'standard input' : file;
  let content: string;
  try {
    content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return [{ file: fileName, line: 0, column: 0, key: '', message, hint: 'name a YAML file that you may read' }];
  }
  const { parseConfig } = await import('../config/parse.ts');
  const parsed = parseConfig(content, { fileName, defaults: machineDefaults() });
  return 'faults' in parsed ? parsed.faults : [];
}
