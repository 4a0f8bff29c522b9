// A PostgreSQL server of the test's own: Debian's programs, a free port of 127.0.0.1, a data directory that goes with
// it. PostgreSQL refuses to run as root, so then another account runs it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

export const PASSWORD = 'p@ss w0rd/%41';
const USER = 'anabranch';
const BASE = '/usr/lib/postgresql';
const NOBODY = 65_534;
const START_MS = 30_000;

/** Debian's newest server, or undefined. */
export function findPostgres(): string | undefined {
  if (!existsSync(BASE)) return undefined;
  const versions = readdirSync(BASE).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(BASE, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}

/** For node:test's `skip`. */
export function requirePostgres(): string | false {
  if (findPostgres() !== undefined) return false;
  const reason = 'needs the server of the package postgresql';
  if (process.env.ANABRANCH_REQUIRE_ALL === '1') throw new Error(`${reason}, and nothing may be skipped here`);
  return reason;
}

export class PostgresServer {
  readonly directory: string;
  readonly port: number;
  readonly #bin: string;
  readonly #account: { readonly uid?: number; readonly gid?: number };
  #process: ChildProcess | undefined;
  #said = '';

  /** `directory` must be empty or not there, and be reachable for the account that runs the server. */
  static async start(directory = mkdtempSync(join(tmpdir(), 'anabranch-pg-'))): Promise<PostgresServer> {
    const server = new PostgresServer(directory, await freePort());
    server.#initialize();
    await server.start();
    return server;
  }

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
    this.#bin = findPostgres() ?? '';
    this.#account = process.getuid?.() === 0 ? accountIds() : {};
  }

  url(database = 'postgres', password = PASSWORD): string {
    return `postgres://${USER}:${encodeURIComponent(password)}@127.0.0.1:${this.port}/${database}`;
  }

  async start(): Promise<void> {
    const until = Date.now() + START_MS;
    for (;;) {
      if (await this.#tryStart(until)) return;
      // After a kill the old server's children may hold the shared memory for a moment.
      if (Date.now() > until) throw new Error(`postgres does not start: ${this.#said}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** SIGKILL: as it dies when the machine does. SIGINT: in order, cutting connections. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill(signal);
    await ended;
  }

  /** The server's own process has ended. */
  get isDown(): boolean {
    return this.#process === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  async remove(): Promise<void> {
    await this.stop('SIGQUIT');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 20 });
  }

  /** One query on a connection of its own. */
  async query(sql: string, parameters: unknown[] = [], database = 'postgres'): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.url(database) });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(sql, parameters)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  #initialize(): void {
    mkdirSync(this.directory, { recursive: true });
    const { uid, gid } = this.#account;
    const passwordFile = join(this.directory, 'password');
    writeFileSync(passwordFile, `${PASSWORD}\n`);
    if (uid !== undefined && gid !== undefined) {
      for (const path of [this.directory, passwordFile]) chownSync(path, uid, gid);
    }
    chmodSync(this.directory, 0o700);
    const options = ['-U', USER, '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8', '--locale=C'];
    const args = ['-D', join(this.directory, 'data'), ...options, '--no-sync', '--wal-segsize=4'];
    const made = spawnSync(join(this.#bin, 'initdb'), args, { ...this.#account, cwd: '/', encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  }

  async #tryStart(until: number): Promise<boolean> {
    const settings = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'max_wal_size=64MB',
      'min_wal_size=8MB',
    ];
    const args = ['-D', join(this.directory, 'data'), '-p', String(this.port), ...settings.flatMap((s) => ['-c', s])];
    const options = { ...this.#account, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'] };
    const process = spawn(join(this.#bin, 'postgres'), args, options);
    this.#process = process;
    this.#said = '';
    process.stderr.on('data', (chunk: Buffer) => {
      this.#said = `${this.#said}${chunk}`.slice(-4_000);
    });
    while (!this.isDown && Date.now() < until) {
      try {
        await this.query('SELECT 1');
        return true;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    return false;
  }
}

function accountIds(): { uid: number; gid: number } {
  const id = (flag: string) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim() || NOBODY);
  return { uid: id('-u'), gid: id('-g') };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
