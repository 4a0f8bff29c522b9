// Links carried by the kernel, where it has netem, tbf and bridges.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { programPath, runCommand, runIp } from '../commands.ts';
import type { OffloadedDevice } from '../emulator/offloads.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
import type { DirectionCounters, LinkDriver } from '../link-driver.ts';
import type { DirectionSettings } from '../link-settings.ts';
import { bridgeCommands, changeCommands, parseCounts, type QdiscCounts, setupCommands } from './netem-commands.ts';

export interface NetemLink {
  /** The far ends of the two hosts' cables, in the hidden namespace. */
  readonly devices: readonly [string, string];
  readonly up: DirectionSettings;
  readonly down: DirectionSettings;
  /** Ethernet header included. */
  readonly frameBytesMax: number;
}

export interface NetemPlan {
  /** As `ip netns` knows the hidden namespace. */
  readonly namespace: string;
  readonly links: readonly NetemLink[];
  /** Every device whose offloads are to be off. */
  readonly devices: readonly OffloadedDevice[];
}

/** Counters are as old as this at most. */
const SAMPLE_MS = 100;

interface Direction {
  readonly device: string;
  readonly frameBytesMax: number;
  settings: DirectionSettings;
  silent: boolean;
  /** Drops of netem so far, and those of them that were a silent cut. */
  dropped: number;
  silenced: number;
  counts: QdiscCounts;
}

const NOTHING: QdiscCounts = {
  framesOut: 0,
  bytesOut: 0,
  dropped: 0,
  queueFull: 0,
  framesWaiting: 0,
  bytesWaiting: 0,
};

export class Netem implements LinkDriver {
  readonly kind = 'netem';
  /** The kernel does not break down. */
  readonly failed = new Promise<never>(() => undefined);
  readonly #namespace: string;
  readonly #directions: readonly Direction[];
  #timer: NodeJS.Timeout | undefined;
  #sampling: Promise<void> | undefined;

  private constructor({ namespace, links }: NetemPlan) {
    this.#namespace = namespace;
    this.#directions = links.flatMap(({ devices: [first, second], up, down, frameBytesMax }) => {
      const direction = (device: string, settings: DirectionSettings): Direction => {
        return { device, settings, frameBytesMax, silent: false, dropped: 0, silenced: 0, counts: NOTHING };
      };
      return [direction(second, up), direction(first, down)];
    });
  }

  /** Rejects with a LabError; what was made goes with the namespace. */
  static async open(plan: NetemPlan): Promise<Netem> {
    for (const { up, down } of plan.links) for (const settings of [up, down]) refuseTrace(settings);
    const netem = new Netem(plan);
    const worker = new Worker(new URL('../emulator/offloads.js', import.meta.url), { workerData: plan.devices });
    await once(worker, 'exit');
    await runIp(
      plan.namespace,
      plan.links.flatMap(({ devices }, i) => bridgeCommands(i, devices)),
    );
    await netem.#tc(
      netem.#directions.flatMap(({ device, settings, frameBytesMax }) =>
        setupCommands(device, settings, frameBytesMax),
      ),
    );
    netem.#timer = setInterval(() => void netem.#sample().catch(() => undefined), SAMPLE_MS).unref();
    return netem;
  }

  async configure(index: number, settings: DirectionSettings): Promise<void> {
    refuseTrace(settings);
    const direction = this.#direction(index);
    const { device, silent, frameBytesMax } = direction;
    await this.#tc(changeCommands(device, settings, silent, frameBytesMax));
    direction.settings = settings;
  }

  async silence(index: number, silent: boolean): Promise<void> {
    const direction = this.#direction(index);
    if (direction.silent === silent) return;
    const { device, settings, frameBytesMax } = direction;
    // What was dropped until now has the cause of until now.
    await this.#sample();
    if (silent) direction.silent = true;
    await this.#tc(changeCommands(device, settings, silent, frameBytesMax));
    if (!silent) await this.#sample();
    direction.silent = silent;
  }

  counters(index: number): DirectionCounters {
    const { counts, dropped, silenced } = this.#direction(index);
    const { framesOut, bytesOut, queueFull, framesWaiting, bytesWaiting } = counts;
    return {
      framesIn: framesOut + dropped + queueFull + framesWaiting,
      // The kernel does not count the bytes of what it drops.
      bytesIn: bytesOut + bytesWaiting,
      framesOut,
      bytesOut,
      lost: dropped - silenced,
      queueFull,
      silenced,
      failed: 0,
      queuedBytes: bytesWaiting,
    };
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async close(): Promise<void> {
    this.stop();
    await this.#sampling?.catch(() => undefined);
  }

  #direction(index: number): Direction {
    const direction = this.#directions[index];
    if (direction === undefined) throw new RangeError(`no direction ${index}`);
    return direction;
  }

  async #tc(lines: readonly string[]): Promise<void> {
    await runCommand(['tc', '-netns', this.#namespace, '-batch', '-'], lines.map((line) => `${line}\n`).join(''));
  }

  /** One at a time: a second caller waits for the one under way, and asks again. */
  async #sample(): Promise<void> {
    await this.#sampling?.catch(() => undefined);
    this.#sampling ??= this.#readCounts().finally(() => {
      this.#sampling = undefined;
    });
    await this.#sampling;
  }

  async #readCounts(): Promise<void> {
    const counts = parseCounts(
      await runCommand(['tc', '-netns', this.#namespace, '-statistics', '-json', 'qdisc', 'show']),
    );
    for (const direction of this.#directions) {
      const now = counts.get(direction.device);
      if (now === undefined) continue;
      if (direction.silent) direction.silenced += Math.max(0, now.dropped - direction.dropped);
      direction.dropped = now.dropped;
      direction.counts = now;
    }
  }
}

function refuseTrace({ trace }: DirectionSettings): void {
  if (trace === undefined) return;
  throw new LabError(LabErrorCode.link, 'netem plays no capacity traces: let the emulator carry the links of this lab');
}

const PROBE = [
  'ip link add name probe0 type veth peer name probe1',
  'ip link add name probe2 type bridge stp_state 0 mcast_snooping 0 ageing_time 0',
  'tc qdisc add dev probe0 root handle 1: netem limit 10 delay 1ms loss random 1% rate 1000gbit',
  'tc qdisc add dev probe0 parent 1:1 handle 10: tbf rate 1mbit burst 2000b limit 20000b',
].join(' && ');

let probed: Promise<string | undefined> | undefined;

/** Why this machine cannot carry links by netem; undefined when it can. Found out once, in a namespace of its own. */
export function netemFault(): Promise<string | undefined> {
  probed ??= runCommand(['unshare', '--net', programPath('sh'), '-c', PROBE]).then(
    () => undefined,
    (error: unknown) => {
      const said = error instanceof Error ? error.message.replace(/^.* failed: /s, '') : String(error);
      return `the kernel or tc does not take netem, tbf and a bridge: ${said}`;
    },
  );
  return probed;
}
