// What is measured: one peer is one program in one configuration, one thread strong.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitListening } from '../host/ports.ts';
import { cpuSeconds, descriptorCount, memoryBytes } from '../host/processes.ts';
import type { Program } from '../host/program.ts';

/** How clients come in: a port that leads to the server, SOCKS 5, or HTTP CONNECT. */
export type Entry = 'forward' | 'socks' | 'http';

/** Which side of the proxy speaks MPTCP. */
export type Transport = 'tcp' | 'mptcp-client' | 'mptcp-server';

export interface Setting {
  readonly entry: Entry;
  readonly transport: Transport;
  /** Where the peer is to listen and where the server is, both on 127.0.0.1. */
  readonly port: number;
  readonly serverPort: number;
  /** An empty directory, any account may read and write it. Removed after the run. */
  readonly directory: string;
}

export interface Peer {
  readonly name: string;
  /** In a few words: what it is and how it is set up. */
  readonly about: string;
  readonly entries: readonly Entry[];
  /** False for those that mptcpize cannot turn into MPTCP programs. */
  readonly mptcp: boolean;
  /** Its version, or undefined when it is not installed. */
  version(): string | undefined;
  /** Starts it; it may take a moment to listen. Undefined: there is no process, clients go to the server itself. */
  launch(setting: Setting): Program | undefined;
}

const LISTEN_MS_MAX = 15_000;

/** A peer at work. */
export class RunningPeer {
  /** Where clients connect. */
  readonly port: number;
  readonly #program: Program | undefined;
  readonly #directory: string | undefined;

  private constructor(port: number, program: Program | undefined, directory: string | undefined) {
    this.port = port;
    this.#program = program;
    this.#directory = directory;
  }

  /** Starts a peer and waits until it listens. `root`: a directory for its files. */
  static async start(peer: Peer, entry: Entry, transport: Transport, serverPort: number, root: string) {
    const directory = mkdtempSync(join(root, `${peer.name}-`));
    const setting = { entry, transport, port: freePort(), serverPort, directory };
    const program = peer.launch(setting);
    if (program === undefined) return new RunningPeer(serverPort, undefined, directory);
    const running = new RunningPeer(setting.port, program, directory);
    try {
      await waitListening(setting.port, LISTEN_MS_MAX, () => program.alive);
    } catch (error) {
      await running.stop();
      const said = program.said.trim().split('\n').slice(-5).join('\n');
      throw new Error(`${peer.name}: ${error instanceof Error ? error.message : error}\n${said}`);
    }
    return running;
  }

  /** User and system time so far, of all its threads and processes; 0 without a process. */
  cpuSeconds(): number {
    return this.#program === undefined ? 0 : cpuSeconds(this.#program.pid);
  }

  /** Proportional set size of all its processes. */
  memoryBytes(): number {
    return this.#program === undefined ? 0 : memoryBytes(this.#program.pid);
  }

  descriptorCount(): number {
    return this.#program === undefined ? 0 : descriptorCount(this.#program.pid);
  }

  /** Throws when it has ended by itself: what was measured then is worth nothing. */
  requireAlive(): void {
    if (this.#program === undefined || this.#program.alive) return;
    throw new Error(`it ended with code ${this.#program.exitCode}: ${this.#program.said.trim().slice(-300)}`);
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }
}
