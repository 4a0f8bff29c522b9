// Listening ports: which are free, which are taken. Reads /proc/net, which shows this process's network namespace.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Below the range that the kernel takes client ports from inside the benchmark's namespace; see namespace.ts. */
export const LISTEN_PORTS = { from: 2_000, to: 9_999 } as const;

/** TCP_LISTEN of include/net/tcp_states.h, as /proc/net/tcp prints it. */
const LISTEN = '0A';
const POLL_MS = 10;

let next: number = LISTEN_PORTS.from;

/** A port that nobody listens on; another one each time, so that no old connection is in the way. */
export function freePort(): number {
  const taken = listeningPorts();
  for (let tries = LISTEN_PORTS.from; tries <= LISTEN_PORTS.to; tries++) {
    const port = next;
    next = next === LISTEN_PORTS.to ? LISTEN_PORTS.from : next + 1;
    if (!taken.has(port)) return port;
  }
  throw new Error(`no free port between ${LISTEN_PORTS.from} and ${LISTEN_PORTS.to}`);
}

/** Waits for somebody to listen, without connecting: a peer is not to see a connection that is not part of the load. */
export async function waitListening(port: number, ms: number, alive: () => boolean): Promise<void> {
  const until = performance.now() + ms;
  while (!listeningPorts().has(port)) {
    if (!alive()) throw new Error(`it ended before it listened on port ${port}`);
    if (performance.now() > until) throw new Error(`it does not listen on port ${port} after ${ms / 1000} s`);
    await sleep(POLL_MS);
  }
}

function listeningPorts(): Set<number> {
  const ports = new Set<number>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readIfThere(file).split('\n').slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/);
      if (state === LISTEN && local !== undefined) ports.add(Number.parseInt(local.split(':')[1] as string, 16));
    }
  }
  return ports;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
