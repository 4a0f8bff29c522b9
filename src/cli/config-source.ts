// Where the configuration comes from: a file, or the flags of the command line.

import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Config } from '../config/config.ts';
import { formatFault } from '../config/fault.ts';
import type { ConfigDefaults } from '../config/fill.ts';
import { configFromFlags } from '../config/flags.ts';
import { type Parsed, parseConfig } from '../config/parse.ts';
import { readAccounts } from './accounts.ts';
import { defaultAdminPath } from './admin-client.ts';
import { CliError } from './cli-error.ts';
import type { RunFlags } from './config-options.ts';

/** Loopback only; another instance takes any free port. */
export const DEFAULT_DASHBOARD = { address: '127.0.0.1', port: 1088 };

/** As of now: accounts come and go between two reloads. */
export function machineDefaults(): ConfigDefaults {
  return {
    workers: availableParallelism(),
    admin: defaultAdminPath(),
    dashboard: DEFAULT_DASHBOARD,
    accounts: readAccounts(),
  };
}

export interface ConfigSource {
  /** Reads it now. Rejects with a CliError (exit code 2) that lists every fault. */
  read(): Promise<Config>;
}

export function createConfigSource(file: string | undefined, flags: RunFlags): ConfigSource {
  const given = Object.keys(flags).map((name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  if (file !== undefined && given.length > 0) {
    throw new CliError(`${given.join(', ')}: write it into ${file}; flags are for running without a file`, 2);
  }
  return {
    async read() {
      if (file === undefined) return configOf(configFromFlags(flags, machineDefaults()));
      return configOf(parseConfig(await readText(file), { fileName: file, defaults: machineDefaults() }));
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
