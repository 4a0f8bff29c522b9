// What all measurements have in common.

import type { LoadThread } from '../load/load-thread.ts';
import { type Entry, type Peer, RunningPeer, type Transport } from '../peers/peer.ts';

/** One figure that a measurement yields. */
export interface Metric {
  readonly key: string;
  /** Column heading, unit included. */
  readonly title: string;
  readonly digits: number;
}

/** One kind of load through one kind of entry; every peer that has the entry is measured on it. */
export interface Measure {
  readonly section: string;
  /** Unique: `throughput/forward/tcp/up/1`. */
  readonly id: string;
  readonly title: string;
  readonly entry: Entry;
  readonly transport: Transport;
  readonly metrics: readonly Metric[];
  /** How long one run takes with a window of `seconds`, start and stop included, as a first guess. */
  expectedSeconds(seconds: number): number;
  /** Whether it says anything of this peer. */
  suits(peer: Peer): boolean;
  run(peer: Peer, bench: Bench): Promise<Readings>;
}

/** By metric key. */
export type Readings = Readonly<Record<string, number>>;

/** What a run has at hand. */
export interface Bench {
  readonly server: LoadThread;
  /** Length of the window that is measured. */
  readonly seconds: number;
  /** For files of the peers; any account may pass through it. */
  readonly directory: string;
}

/** Load before the window begins: buffers grow, hot code is compiled. */
export function warmUpSeconds(seconds: number): number {
  return Math.min(1, Math.max(0.3, seconds / 4));
}

/** The server's port for a transport: TCP, or MPTCP where the far side is to speak it. */
export function serverPort(server: LoadThread, peer: Peer, transport: Transport): number {
  const mptcp = transport === 'mptcp-server' || (transport === 'mptcp-client' && peer.name === 'direct');
  const port = server.ports[mptcp ? 1 : 0] as number;
  if (port === 0) throw new Error('this kernel has no MPTCP, or net.mptcp.enabled is 0');
  return port;
}

/** Starts a peer for one run and stops it whatever happens. */
export async function withPeer<T>(
  peer: Peer,
  { entry, transport }: { entry: Entry; transport: Transport },
  bench: Bench,
  use: (running: RunningPeer, targetPort: number) => Promise<T>,
): Promise<T> {
  const targetPort = serverPort(bench.server, peer, transport);
  const running = await RunningPeer.start(peer, entry, transport, targetPort, bench.directory);
  try {
    const result = await use(running, targetPort);
    running.requireAlive();
    return result;
  } finally {
    await running.stop();
  }
}

export async function withLoad<T>(load: LoadThread, use: (load: LoadThread) => Promise<T>): Promise<T> {
  try {
    return await use(load);
  } finally {
    await load.stop();
  }
}

/** More than one failed connection in a thousand, and the measurement is of something else. */
export function requireFewFailures(load: LoadThread, done: number): void {
  const failed = load.counts.get('failed');
  if (failed > Math.max(1, done / 1000)) {
    throw new Error(`${failed} of ${failed + done} connections failed; the first: ${load.failure}`);
  }
}

export function requireBytes(bytes: number): void {
  if (!(bytes > 0)) throw new Error('not a byte came through in the measured time');
}
