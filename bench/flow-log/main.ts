// What logging costs the relay: one stream through the proxy, in turns with nothing logged and with records of flows
// going to PostgreSQL at a steady rate. See docs/flow-log.md.
//
// The stream is paced, so that there is processor time left to log with; what is compared is whether it keeps its rate,
// and what a gigabyte costs the thread that relays.
//
//   node build/bench/flow-log/main.js [records a second, 10000] [rounds, 5] [seconds of a round, 10] [Mbit/s, 2000]

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../host/ports.ts';
import { killAllPrograms } from '../host/program.ts';
import { LoadThread } from '../load/load-thread.ts';
import type { SharedCounts } from '../load/shared.ts';
import type { ProxySetup, ProxyStatus, ToProxy } from './logging-proxy.ts';
import { findPostgres, type PostgresServer, startPostgres } from './postgres.ts';

const TICKS_PER_SECOND = 100;
const DRAIN_SECONDS_MAX = 120;
const OPEN_MS_MAX = 10_000;

interface Window {
  readonly gigabits: number;
  /** Of the thread that relays. */
  readonly relayCpuPerGigabyte: number;
  /** Of all other threads of the proxy, the source of the records included, in cores. */
  readonly otherCores: number;
  readonly databaseCores: number;
  readonly taken: number;
  readonly stored: number;
  readonly waitingAtEnd: number;
}

class LoggingProxy {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(setup: ProxySetup): Promise<LoggingProxy> {
    const child = fork(new URL('./logging-proxy.js', import.meta.url), [JSON.stringify(setup)]);
    await once(child, 'message');
    return new LoggingProxy(child);
  }

  rate(perSecond: number): void {
    this.#child.send({ kind: 'rate', perSecond } satisfies ToProxy);
  }

  async status(): Promise<ProxyStatus> {
    const answer = once(this.#child, 'message');
    this.#child.send({ kind: 'status' } satisfies ToProxy);
    return (await answer)[0] as ProxyStatus;
  }

  /** CPU seconds by thread. */
  threads(): Map<string, number> {
    const directory = `/proc/${this.#child.pid}/task`;
    return new Map(
      readdirSync(directory).map((thread) => {
        const stat = readFileSync(join(directory, thread, 'stat'), 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [thread, (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND];
      }),
    );
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}

async function measure(
  proxy: LoggingProxy,
  sink: SharedCounts,
  database: PostgresServer,
  seconds: number,
  relay: string,
): Promise<Window> {
  const read = async () => ({
    at: performance.now(),
    bytes: sink.get('bytes'),
    threads: proxy.threads(),
    database: database.cpuSeconds(),
    status: await proxy.status(),
  });
  const before = await read();
  await sleep(seconds * 1000);
  const after = await read();
  const took = (after.at - before.at) / 1000;
  const bytes = after.bytes - before.bytes;
  const spent = (thread: string) => (after.threads.get(thread) ?? 0) - (before.threads.get(thread) ?? 0);
  const all = [...after.threads.keys()].reduce((sum, thread) => sum + spent(thread), 0);
  return {
    gigabits: (bytes * 8) / took / 1e9,
    relayCpuPerGigabyte: spent(relay) / (bytes / 1e9),
    otherCores: (all - spent(relay)) / took,
    databaseCores: (after.database - before.database) / took,
    taken: (after.status.taken - before.status.taken) / took,
    stored: (after.status.stored - before.status.stored) / took,
    waitingAtEnd: after.status.waiting,
  };
}

/** While nothing is logged: the one that relays. */
async function busiestThread(proxy: LoggingProxy): Promise<string> {
  const before = proxy.threads();
  await sleep(1_000);
  const spent = [...proxy.threads()].map(([thread, cpu]) => [thread, cpu - (before.get(thread) ?? 0)] as const);
  return spent.sort(([, a], [, b]) => b - a)[0]?.[0] ?? '';
}

async function drained(proxy: LoggingProxy): Promise<void> {
  for (let second = 0; (await proxy.status()).waiting > 0; second++) {
    if (second > DRAIN_SECONDS_MAX) throw new Error('the database does not keep up');
    await sleep(1_000);
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const range = (values: readonly number[]): string =>
  `${median(values).toFixed(3)} (${Math.min(...values).toFixed(3)} … ${Math.max(...values).toFixed(3)})`;

async function main([
  rate = '10000',
  rounds = '5',
  seconds = '10',
  megabits = '2000',
]: readonly string[]): Promise<void> {
  const bin = findPostgres();
  if (bin === undefined) throw new Error('needs the server of the package postgresql');
  const directory = mkdtempSync(join(tmpdir(), 'anabranch-bench-log-'));
  chmodSync(directory, 0o755);
  process.once('exit', () => {
    killAllPrograms();
    rmSync(directory, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  const database = await startPostgres(bin, directory);
  const server = await LoadThread.startServer();
  const spool = join(directory, 'spool');
  mkdirSync(spool);
  const [port, serverPort] = [freePort(), server.ports[0] as number];
  const proxy = await LoggingProxy.start({ port, serverPort, database: database.url, spool });
  const bytesPerSecond = (Number(megabits) * 1e6) / 8;
  const route = { entry: 'forward', port, targetPort: serverPort, mptcp: false, bytesPerSecond } as const;
  const load = await LoadThread.startClient({ route, role: 'upload', connections: 1 });
  await load.waitFor('opened', 1, OPEN_MS_MAX);
  const relay = await busiestThread(proxy);
  console.log(
    `${database.version}; ${rate} records a second, one subflow and two; one stream of ${megabits} Mbit/s through one worker`,
  );
  const pairs: { off: Window; on: Window }[] = [];
  // The first round warms up.
  for (let round = 0; round <= Number(rounds); round++) {
    const turn = { off: undefined as Window | undefined, on: undefined as Window | undefined };
    for (const kind of round % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const)) {
      proxy.rate(kind === 'on' ? Number(rate) : 0);
      await sleep(1_000);
      turn[kind] = await measure(proxy, server.counts, database, Number(seconds), relay);
      proxy.rate(0);
      await drained(proxy);
    }
    const { off, on } = turn as { off: Window; on: Window };
    console.log(round === 0 ? 'warm-up' : `round ${round}`, JSON.stringify({ off, on }, rounded));
    if (round > 0) pairs.push({ off, on });
  }
  console.log(`throughput, on/off            ${range(pairs.map(({ on, off }) => on.gigabits / off.gigabits))}`);
  const cpu = pairs.map(({ on, off }) => on.relayCpuPerGigabyte / off.relayCpuPerGigabyte);
  console.log(`relaying thread, CPU s/GB, on/off  ${range(cpu)}`);
  console.log(
    `other threads of the proxy, cores  ${range(pairs.map(({ on, off }) => on.otherCores - off.otherCores))}`,
  );
  console.log(`PostgreSQL, cores             ${range(pairs.map(({ on }) => on.databaseCores))}`);
  console.log(`records taken a second        ${range(pairs.map(({ on }) => on.taken))}`);
  console.log(`records stored a second       ${range(pairs.map(({ on }) => on.stored))}`);
  console.log(`waiting at the end of a round ${range(pairs.map(({ on }) => on.waitingAtEnd))}`);
  console.log(`lost                          ${(await proxy.status()).lost}`);
  await load.stop();
  await proxy.stop();
  await server.stop();
  await database.stop();
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value;
}

await main(process.argv.slice(2));
process.exit(0);
