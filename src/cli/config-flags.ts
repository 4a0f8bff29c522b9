// The flags that stand for a configuration file, for the commands that take one or the other.

import type { Command } from 'commander';

/** Adds them; `command.opts<ConfigFlags>()` (of config/flags.ts) is what they gave. */
export function addConfigFlags(command: Command): Command {
  return command
    .option('--listen <address>', 'SOCKS and HTTP on one port; repeatable, like those below', gather)
    .option('--socks <address>', 'SOCKS 4, 4a and 5', gather)
    .option('--http <address>', 'HTTP proxy', gather)
    .option('--forward <address=target>', 'everything to one target', gather)
    .option(
      '--outbound <url>',
      'proxy to go through, socks5://… or http://…; a second one is reached via the first',
      gather,
    )
    .option('--transport <transport>', 'auto, tcp or mptcp, towards clients and the first server')
    .option('--congestion <name>', 'congestion control; kernel for the default of the kernel')
    .option('--user <name:hash>', 'who may connect; make the hash with `anabranch hash`', gather)
    .option('--source <network>', 'client network that may connect', gather)
    .option('--open', 'listen beyond loopback without users and sources')
    .option('--allow-local', "let clients from beyond loopback reach this machine's own addresses")
    .option('--workers <number>', 'data-plane threads; one per core if not given')
    .option('--log <target>', 'flow records: off, stdout, or a path that ends in .jsonl')
    .option('--admin <path>', "the admin API's unix socket, or off");
}

function gather(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}
