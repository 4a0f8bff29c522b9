// A PostgreSQL server of the benchmark's own: Debian's programs, a directory that goes with it, settings as they come.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitListening } from '../host/ports.ts';
import { cpuSeconds } from '../host/processes.ts';
import { Program } from '../host/program.ts';

const BASE = '/usr/lib/postgresql';
const START_MS = 30_000;
const SETTLE_MS = 200;

export interface PostgresServer {
  readonly url: string;
  readonly version: string;
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** Undefined when there is none on this machine. */
export function findPostgres(): string | undefined {
  if (!existsSync(BASE)) return undefined;
  const versions = readdirSync(BASE).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(BASE, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}

/** PostgreSQL refuses to run as root; then its own account runs it. `directory`: any account may pass through it. */
export async function startPostgres(bin: string, directory: string): Promise<PostgresServer> {
  const data = join(directory, 'postgres');
  mkdirSync(data);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(data, accountId('-u'), accountId('-g'));
  chmodSync(data, 0o700);
  const [command, ...prefix] = isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] : [];
  const run = (program: string, args: readonly string[]): [string, readonly string[]] =>
    command === undefined ? [join(bin, program), args] : [command, [...prefix, join(bin, program), ...args]];
  const [initdb, initArgs] = run('initdb', ['-D', data, '-U', 'bench', '-A', 'trust', '-E', 'UTF8', '--locale=C']);
  const made = spawnSync(initdb, initArgs, { cwd: '/', encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = freePort();
  const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='];
  const [postgres, args] = run('postgres', ['-D', data, '-p', String(port), ...settings]);
  const program = new Program(postgres, args, { cwd: '/' });
  await waitListening(port, START_MS, () => program.alive);
  // It listens a moment before it answers; the log would try again, and say so.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const version = spawnSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout.trim();
  const url = `postgres://bench@127.0.0.1:${port}/postgres`;
  return { url, version, cpuSeconds: () => cpuSeconds(program.pid), stop: () => program.stop('SIGINT') };
}

function accountId(flag: string): number {
  return Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim());
}
