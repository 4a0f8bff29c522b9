// Measures a lab while something runs in it: bytes over each interface, counters of each host's kernel, what processes
// use.

import { type ByteSeries, binCounter, type CounterReading } from '../../analysis/byte-series.ts';
import type { Lab } from '../lab.ts';
import { monotonicMs } from './clock.ts';
import { type HostWindow, openWindow } from './host-window.ts';
import { mibGrowth, parseMib, parseNetDev, type Retransmissions, retransmissions } from './network-counters.ts';
import { readProcess } from './process-use.ts';

export interface SamplerOptions {
  /** 50 unless given. */
  readonly intervalMs?: number | undefined;
  /** As in WorkloadRun; more can be added with `watch`. */
  readonly processes?: readonly MeasuredProcess[] | undefined;
}

export interface MeasuredProcess {
  readonly name: string;
  readonly host: string;
  readonly pid: number;
}

/** Bytes over an interface, Ethernet headers included. */
export interface InterfaceMeasure {
  readonly host: string;
  /** Also the name of the link. */
  readonly link: string;
  readonly sent: ByteSeries;
  readonly received: ByteSeries;
}

export interface HostMeasure {
  readonly host: string;
  /** By how much the kernel's counters grew, named as nstat(8) does: `MPTcpExtMPJoinSynAckRx`. */
  readonly counters: Readonly<Record<string, number>>;
  readonly retransmissions: Retransmissions;
}

export interface ProcessMeasure extends MeasuredProcess {
  /** While it was watched, in steps of 10 ms. */
  readonly cpuMs: number;
  /** Of one core, from 0 on. */
  readonly cpuShare: number;
  /** The most since the process began. */
  readonly residentBytesMax: number;
  readonly watchedMs: number;
}

export interface Measures {
  readonly startedMs: number;
  readonly endedMs: number;
  /** Readings that came more than an interval late, because the machine was busy. */
  readonly lateReadings: number;
  readonly interfaces: readonly InterfaceMeasure[];
  readonly hosts: readonly HostMeasure[];
  readonly processes: readonly ProcessMeasure[];
}

export interface Sampler {
  watch(process: MeasuredProcess): void;
  /** What was measured up to now. */
  measures(): Measures;
  /** The last measures; nothing is left running. Safe to repeat. */
  stop(): Promise<Measures>;
}

const INTERVAL_MS = 50;
/** Two hours at 50 ms; after that nothing more is kept. */
const READINGS_MAX = 144_000;
const PROCESSES_MAX = 256;

/** Resolves once the first readings are taken. Rejects with a LabError when a host takes no program. */
export async function startSampler(lab: Lab, options: SamplerOptions = {}): Promise<Sampler> {
  const started = await Promise.allSettled([...lab.hosts.values()].map(openWindow));
  const windows = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all(windows.map((window) => window.close()));
    throw failed.reason;
  }
  return new RunningSampler(windows, options);
}

interface Watched {
  readonly process: MeasuredProcess;
  readonly startTicks: number;
  readonly cpuBeforeMs: number;
  readonly sinceMs: number;
  cpuMs: number;
  seenMs: number;
  residentBytesMax: number;
}

class RunningSampler implements Sampler {
  readonly #windows: readonly HostWindow[];
  readonly #intervalMs: number;
  readonly #startedMs: number;
  /** By host and interface. Each list is bounded by READINGS_MAX. */
  readonly #readings = new Map<string, Readings>();
  readonly #before: ReadonlyMap<string, Record<string, number>>;
  /** Bounded by PROCESSES_MAX. */
  readonly #watched: Watched[] = [];
  readonly #timer: NodeJS.Timeout;
  #lastMs: number;
  #late = 0;
  #stopped: Promise<Measures> | undefined;

  constructor(windows: readonly HostWindow[], { intervalMs = INTERVAL_MS, processes = [] }: SamplerOptions) {
    this.#windows = windows;
    this.#intervalMs = intervalMs;
    this.#startedMs = monotonicMs();
    this.#lastMs = this.#startedMs;
    this.#before = new Map(windows.map((window) => [window.host.name, readMib(window)]));
    for (const process of processes) this.watch(process);
    this.#read();
    this.#timer = setInterval(() => this.#read(), intervalMs);
  }

  watch(process: MeasuredProcess): void {
    const reading = readProcess(process.pid);
    if (reading === undefined || this.#watched.length >= PROCESSES_MAX) return;
    const now = monotonicMs();
    const { startTicks, cpuMs, residentBytesMax } = reading;
    this.#watched.push({
      process,
      startTicks,
      cpuBeforeMs: cpuMs,
      sinceMs: now,
      cpuMs,
      seenMs: now,
      residentBytesMax,
    });
  }

  measures(): Measures {
    return {
      startedMs: this.#startedMs,
      endedMs: this.#lastMs,
      lateReadings: this.#late,
      interfaces: [...this.#readings.values()].map(({ host, link, sent, received }) => ({
        host,
        link,
        sent: binCounter(sent, this.#intervalMs),
        received: binCounter(received, this.#intervalMs),
      })),
      hosts: this.#windows.map((window) => {
        const host = window.host.name;
        const counters = mibGrowth(this.#before.get(host) ?? {}, readMib(window));
        return { host, counters, retransmissions: retransmissions(counters) };
      }),
      processes: this.#watched.map(({ process, cpuBeforeMs, cpuMs, sinceMs, seenMs, residentBytesMax }) => {
        const watchedMs = seenMs - sinceMs;
        const used = cpuMs - cpuBeforeMs;
        return { ...process, cpuMs: used, cpuShare: watchedMs > 0 ? used / watchedMs : 0, residentBytesMax, watchedMs };
      }),
    };
  }

  stop(): Promise<Measures> {
    this.#stopped ??= this.#finish();
    return this.#stopped;
  }

  async #finish(): Promise<Measures> {
    clearInterval(this.#timer);
    try {
      this.#read();
      return this.measures();
    } finally {
      await Promise.all(this.#windows.map((window) => window.close()));
    }
  }

  #read(): void {
    const now = monotonicMs();
    if (now - this.#lastMs > 2 * this.#intervalMs) this.#late++;
    this.#lastMs = now;
    for (const window of this.#windows) this.#readInterfaces(window);
    for (const watched of this.#watched) {
      const reading = readProcess(watched.process.pid);
      // Numbers are used again.
      if (reading?.startTicks !== watched.startTicks) continue;
      watched.cpuMs = reading.cpuMs;
      watched.seenMs = now;
      watched.residentBytesMax = Math.max(watched.residentBytesMax, reading.residentBytesMax);
    }
  }

  #readInterfaces(window: HostWindow): void {
    const text = readOrNothing(window, 'dev');
    const atMs = monotonicMs();
    for (const [link, { sentBytes, receivedBytes }] of parseNetDev(text)) {
      if (link === 'lo') continue;
      const host = window.host.name;
      const key = `${host} ${link}`;
      const readings = this.#readings.get(key) ?? { host, link, sent: [], received: [] };
      this.#readings.set(key, readings);
      if (readings.sent.length >= READINGS_MAX) continue;
      readings.sent.push({ atMs, value: sentBytes });
      readings.received.push({ atMs, value: receivedBytes });
    }
  }
}

interface Readings {
  readonly host: string;
  readonly link: string;
  readonly sent: CounterReading[];
  readonly received: CounterReading[];
}

function readMib(window: HostWindow): Record<string, number> {
  return { ...parseMib(readOrNothing(window, 'snmp')), ...parseMib(readOrNothing(window, 'netstat')) };
}

/** The lab may be closed while it is measured: what was measured until then stays. */
function readOrNothing(window: HostWindow, file: string): string {
  try {
    return window.read(file);
  } catch {
    return '';
  }
}
