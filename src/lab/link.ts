// One link of a running lab, and all that can happen to it.

import { runIp } from './commands.ts';
import type { Host } from './host.ts';
import { lostRoutes } from './host-plan.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import { applyChange, type LinkChange, type LinkChangeInput, linkChange } from './link-change.ts';
import type { DirectionCounters, LinkDriver } from './link-driver.ts';
import type { DirectionSettings } from './link-settings.ts';
import type { CutOptions } from './timeline.ts';
import type { LinkSpec } from './topology.ts';
import { faultsOf, formatTopologyFault } from './topology-fault.ts';

export interface LinkParts {
  readonly spec: LinkSpec;
  /** Position in the topology. */
  readonly index: number;
  readonly driver: LinkDriver;
  readonly hosts: readonly [Host, Host];
  readonly hiddenNamespace: string;
}

/** Device in the hidden namespace that is the other end of a host's interface. */
export function hiddenDevice(index: number, side: 0 | 1): string {
  return `l${index}${side === 0 ? 'a' : 'b'}`;
}

export class Link {
  readonly name: string;
  /** Frames from the first host to the second go up. */
  readonly hosts: readonly [Host, Host];
  readonly #parts: LinkParts;
  #up: DirectionSettings;
  #down: DirectionSettings;
  /** What `up` has to undo: sides without carrier, sides whose interface is down. */
  readonly #noCarrier = new Set<0 | 1>();
  readonly #adminDown = new Set<0 | 1>();
  /** Changes happen one after the other. */
  #last: Promise<void> = Promise.resolve();

  constructor(parts: LinkParts) {
    this.name = parts.spec.name;
    this.hosts = parts.hosts;
    this.#parts = parts;
    this.#up = parts.spec.up;
    this.#down = parts.spec.down;
  }

  settings(direction: 'up' | 'down'): DirectionSettings {
    return direction === 'up' ? this.#up : this.#down;
  }

  /** Counts since the lab began; cheap enough to be read every few milliseconds. */
  counters(direction: 'up' | 'down'): DirectionCounters {
    return this.#parts.driver.counters(this.#direction(direction));
  }

  /** Changes rate, delay, loss and so on, live; what is not named stays. Resolves when it is in effect. */
  set(input: LinkChangeInput): Promise<void> {
    const parsed = linkChange.safeParse(input);
    if (parsed.success) return this.apply(parsed.data);
    const faults = faultsOf(parsed.error.issues, input).map((fault) => ({
      ...fault,
      path: [this.name, ...fault.path],
    }));
    return Promise.reject(new LabError(LabErrorCode.topology, faults.map(formatTopologyFault).join('\n')));
  }

  /** As `set`, for a change that was parsed already. */
  apply(change: LinkChange): Promise<void> {
    return this.#inTurn(async () => {
      this.#up = applyChange(this.#up, change, 'up');
      this.#down = applyChange(this.#down, change, 'down');
      await Promise.all([
        this.#parts.driver.configure(this.#direction('up'), this.#up),
        this.#parts.driver.configure(this.#direction('down'), this.#down),
      ]);
    });
  }

  /** Cuts the link; silently unless told otherwise. Resolves when it is cut. */
  down({ how = 'silent', direction = 'both', side }: CutOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      const { driver, hiddenNamespace, index } = this.#parts;
      if (how === 'silent') {
        await Promise.all([
          ...(direction === 'down' ? [] : [driver.silence(this.#direction('up'), true)]),
          ...(direction === 'up' ? [] : [driver.silence(this.#direction('down'), true)]),
        ]);
      } else if (how === 'carrier') {
        const sides = side === undefined ? ([0, 1] as const) : [this.#side(side)];
        for (const one of sides) this.#noCarrier.add(one);
        await runIp(
          hiddenNamespace,
          sides.map((one) => `link set dev ${hiddenDevice(index, one)} down`),
        );
      } else {
        const one = side === undefined ? 0 : this.#side(side);
        this.#adminDown.add(one);
        await this.hosts[one].ip(`link set dev ${this.name} down`);
      }
    });
  }

  /** Undoes every `down`, and restores the routes that the kernel forgot meanwhile. */
  up(): Promise<void> {
    return this.#inTurn(async () => {
      const { driver, hiddenNamespace, index } = this.#parts;
      await Promise.all([driver.silence(this.#direction('up'), false), driver.silence(this.#direction('down'), false)]);
      await runIp(
        hiddenNamespace,
        [...this.#noCarrier].map((one) => `link set dev ${hiddenDevice(index, one)} up`),
      );
      this.#noCarrier.clear();
      for (const one of this.#adminDown) {
        const host = this.hosts[one];
        await host.ip(`link set dev ${this.name} up`, ...lostRoutes(host.plan, this.name));
      }
      this.#adminDown.clear();
    });
  }

  #direction(direction: 'up' | 'down'): number {
    return this.#parts.index * 2 + (direction === 'up' ? 0 : 1);
  }

  #side(host: string): 0 | 1 {
    const side = this.hosts.findIndex(({ name }) => name === host);
    if (side === 0 || side === 1) return side;
    const names = this.hosts.map(({ name }) => name).join(' and ');
    throw new LabError(LabErrorCode.unknownName, `link ${this.name} joins ${names}, not ${host}`);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
