// A program that the benchmark started: kept in sight, and killed with all its descendants at the end at the latest.

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProgramOptions {
  readonly cwd: string;
  /** Run under mptcpize, so that each TCP socket it opens becomes an MPTCP one. */
  readonly mptcp?: boolean;
  /** Throw away what it says instead of keeping the end of it. */
  readonly silent?: boolean;
}

const SAID_BYTES_MAX = 4096;
const STOP_MS_MAX = 3_000;

/** Bounded by what is started: each leaves when it ends. */
const running = new Set<Program>();

export class Program {
  readonly pid: number;
  /** What it wrote to both outputs: the last few kilobytes. */
  said = '';
  exitCode: number | undefined;
  readonly command: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  constructor(command: string, args: readonly string[], options: ProgramOptions) {
    this.command = command;
    const [file, ...rest] = options.mptcp === true ? ['mptcpize', 'run', command, ...args] : [command, ...args];
    // A process group of its own: whatever it forks can be ended with it.
    const output = options.silent === true ? 'ignore' : 'pipe';
    this.#child = spawn(file, rest, { cwd: options.cwd, detached: true, stdio: ['ignore', output, output] });
    this.pid = this.#child.pid ?? 0;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.said = (this.said + data.toString('latin1')).slice(-SAID_BYTES_MAX);
      });
    }
    running.add(this);
    this.#exited = new Promise((resolve) => {
      const end = (code: number): void => {
        this.exitCode ??= code;
        this.kill();
        running.delete(this);
        resolve();
      };
      this.#child.once('error', (error) => {
        this.said += error.message;
        end(127);
      });
      this.#child.once('exit', (code) => end(code ?? 128));
    });
  }

  get alive(): boolean {
    return this.exitCode === undefined;
  }

  /** Ends it in order where it heeds SIGTERM in time, else by force. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#signal(signal);
    const abort = new AbortController();
    const late = sleep(STOP_MS_MAX, 'late', { signal: abort.signal }).catch(() => 'stopped');
    if ((await Promise.race([this.#exited, late])) === 'late') {
      this.kill();
      await this.#exited;
    }
    abort.abort();
  }

  /** Waits for it to end by itself; throws when it does not. */
  async ended(ms: number): Promise<void> {
    const abort = new AbortController();
    const late = sleep(ms, 'late', { signal: abort.signal }).catch(() => 'ended');
    if ((await Promise.race([this.#exited, late])) === 'late') {
      this.kill();
      throw new Error(`${this.command} did not end within ${Math.round(ms / 1000)} s`);
    }
    abort.abort();
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid === 0) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The whole group has ended.
    }
  }
}

export function killAllPrograms(): void {
  for (const program of running) program.kill();
}
