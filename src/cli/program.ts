// The commands, joined: each file of this folder that is one exports `register(program)`. Adding a command is adding
// its file and its line here.

import { Command } from 'commander';
import * as check from './check.ts';
import * as configSchema from './config-schema.ts';
import * as demo from './demo.ts';
import * as doctor from './doctor.ts';
import * as hash from './hash.ts';
import * as lab from './lab.ts';
import * as log from './log.ts';
import * as paths from './paths.ts';
import * as reload from './reload.ts';
import * as report from './report.ts';
import * as run from './run.ts';
import * as status from './status.ts';
import * as top from './top.ts';
import { VERSION } from './version.ts';

/** In the order the help shows them. */
const COMMANDS: readonly { readonly register: (program: Command) => void }[] = [
  run,
  check,
  reload,
  status,
  top,
  report,
  log,
  doctor,
  paths,
  demo,
  lab,
  hash,
  configSchema,
];

const EXAMPLES = `
Examples:
  anabranch run                     a SOCKS and HTTP proxy on 127.0.0.1:1080
  anabranch run gateway.yaml        as the file says; see docs/configuration.md
  anabranch check gateway.yaml      is the file right?
  anabranch COMMAND --help          more on each command, with examples

Exit codes: 0 all is well, 1 something failed or a check found faults, 2 wrong usage or configuration, 3 something needed
is not there (an address in use, no running anabranch), 4 stopped with connections cut, 70 a fault of anabranch itself.`;

export function createProgram(): Command {
  const program = new Command('anabranch')
    .description('A multipath proxy for Linux: any app reaches any server over all its paths at once.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    // What follows a subcommand is its own: `lab exec HOST curl -V` asks curl.
    .enablePositionalOptions()
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
