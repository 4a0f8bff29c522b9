// The commands, joined: each file of this folder that is one exports `register(program)`. Adding a command is adding
// its file and its line here.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import * as check from './check.ts';
import * as configSchema from './config-schema.ts';
import * as hash from './hash.ts';

/** In the order the help shows them. */
const COMMANDS: readonly { readonly register: (program: Command) => void }[] = [check, configSchema, hash];

const EXAMPLES = `
Examples:
  anabranch run                     a SOCKS and HTTP proxy on 127.0.0.1:1080
  anabranch run gateway.yaml        as the file says; see docs/configuration.md
  anabranch check gateway.yaml      is the file right?
  anabranch COMMAND --help          more on each command, with examples

Exit codes: 0 done, 1 the answer is no or something failed, 2 wrong usage, 70 a fault of anabranch itself.`;

/** The version of the package this file belongs to. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export function createProgram(): Command {
  const program = new Command('anabranch')
    .description('A multipath proxy for Linux: any app reaches any server over all its paths at once.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show help on a command')
    .addHelpText('after', EXAMPLES)
    // Commands made from here on inherit these: throw instead of exiting, and say errors our way.
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`anabranch: ${text.replace(/^error: /, '')}`),
    })
    .showHelpAfterError('see --help for usage and examples');
  for (const { register } of COMMANDS) register(program);
  return program;
}
