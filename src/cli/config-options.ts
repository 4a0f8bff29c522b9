// The flags of `anabranch run`, as the command line declares them.

import type { Command } from 'commander';
import type { ConfigFlags } from '../config/flags.ts';

/** Which port to listen on, and so on; see `addConfigOptions`. */
export type RunFlags = ConfigFlags;

const collect = (value: string, before: string[] = []) => [...before, value];

/** The flags that stand for a configuration file in the common cases. */
export function addConfigOptions(command: Command): Command {
  return command
    .option('-l, --listen <address:port>', 'serve SOCKS and HTTP here (repeatable)', collect)
    .option('--socks <address:port>', 'serve SOCKS only (repeatable)', collect)
    .option('--http <address:port>', 'serve HTTP only (repeatable)', collect)
    .option('--forward <address:port=host:port>', 'pass every connection on to one target (repeatable)', collect)
    .option('-o, --outbound <url>', 'go through socks5://… or http://…; several make a chain, nearest first', collect)
    .option('--transport <kind>', 'auto, tcp or mptcp')
    .option('--user <name:hash>', 'clients must log in; hashes come from `anabranch hash` (repeatable)', collect)
    .option('--source <network>', 'only clients of this network (repeatable)', collect)
    .option('--open', 'listen beyond loopback without users and sources')
    .option('--allow-local', "let clients from elsewhere reach this machine's own services")
    .option('--congestion <name>', 'congestion control')
    .option('-w, --workers <n>', 'data-plane threads; default: one for each core')
    .option('--log <target>', 'flow records: off, stdout, or a file ending in .jsonl')
    .option('--admin <path>', 'admin socket')
    .option('--dashboard <address:port>', 'dashboard and /metrics; default: 127.0.0.1:1088');
}
