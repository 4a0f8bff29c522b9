// Where the configuration comes from: a file, or the flags of the command line.

import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { formatFault } from '../config/fault.ts';
import { type ConfigFlags, configFromFlags } from '../config/flags.ts';
import { type Parsed, parseConfig } from '../config/parse.ts';
import { defaultAdminPath } from './admin-client.ts';
import { CliError } from './cli-error.ts';

export interface ConfigSource {
  /** Reads it now. Rejects with a CliError (exit code 2) that lists every fault. */
  read(): Promise<Config>;
}

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
    .option('--admin <path>', 'admin socket');
}

export function createConfigSource(file: string | undefined, flags: RunFlags): ConfigSource {
  const given = Object.keys(flags).map((name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  if (file !== undefined && given.length > 0) {
    throw new CliError(`${given.join(', ')}: write it into ${file}; flags are for running without a file`, 2);
  }
  const defaults = { workers: availableParallelism(), admin: defaultAdminPath() };
  return {
    async read() {
      if (file === undefined) return configOf(configFromFlags(flags, defaults));
      return configOf(parseConfig(await readText(file), { fileName: file, defaults }));
    },
  };
}

function configOf(parsed: Parsed): Config {
  if ('config' in parsed) return parsed.config;
  throw new CliError(parsed.faults.map(formatFault).join('\n'), 2);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError(
      `the configuration cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      2,
    );
  }
}
