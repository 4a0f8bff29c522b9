// anabranch lab …: networks on this machine. The subcommands, joined: each file that is one exports `register(lab)`;
// adding a subcommand is adding its file and its line here.

import type { Command } from 'commander';
import * as control from './lab-control.ts';
import * as exec from './lab-exec.ts';
import * as list from './lab-list.ts';
import * as run from './lab-run.ts';
import * as up from './lab-up.ts';

const SUBCOMMANDS: readonly { readonly register: (lab: Command) => void }[] = [run, up, exec, control, list];

const EXAMPLES = `
Examples:
  anabranch lab list                             experiments and topologies that come along, and the labs that run
  anabranch lab run pooling --quick              play an experiment and print what it measured
  anabranch lab up two-paths                     build one; it stays until ^C
  anabranch lab exec client ping 10.0.3.2        from another terminal: run a program on a host
  anabranch lab link wifi down                   cut a link; up makes it whole again
  anabranch lab link wifi set rate=5mbit         change it, live

Without root a lab runs in a user namespace of its own, where the machine allows that.`;

export function register(program: Command): void {
  const lab = program
    .command('lab')
    .summary('multipath networks on this machine: hosts, links, cuts')
    .description(
      'Multipath networks on this machine: hosts are network namespaces, links have a rate, a delay, a loss.',
    )
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES);
  for (const { register } of SUBCOMMANDS) register(lab);
}
