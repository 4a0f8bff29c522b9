// Probes paths now and then: at most one connection a time for each path, three in every tenth round.
//
//   round ─▶ which paths there are ─▶ where the server is ─▶ one probe each, side by side ─▶ health ─▶ what has changed

import type { Path } from '../path.ts';
import { attempt } from './attempt.ts';
import { type Health, type HealthChange, PathHealth, type ProbeResult } from './path-health.ts';
import { lookForPortal, type PortalFinding } from './portal.ts';

export type ProbedPath = Pick<Path, 'name' | 'interface' | 'index' | 'address' | 'family' | 'cost' | 'trouble'>;

export interface ProbeSettings {
  /** Between two rounds, in milliseconds; each is put off by up to a tenth at random. */
  readonly every: number;
  readonly to: { readonly host: string; readonly port: number };
  /** Metered paths too. */
  readonly metered: boolean;
  /** http; a server there answers 204. `undefined`: captive portals are not looked for. */
  readonly portal: string | undefined;
}

export interface ProberOptions extends ProbeSettings {
  readonly listPaths: () => readonly ProbedPath[];
  /** Addresses of a name; rejects when there are none. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly onChange: (path: ProbedPath, change: HealthChange, health: Health) => void;
}

export interface ProbedHealth extends Health {
  readonly path: string;
  readonly interface: string;
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const PATHS_MAX = 32;
/** Rounds between two looks at MPTCP and for portals; the first one looks. */
const THOROUGH_EVERY = 10;

interface Probed {
  readonly path: ProbedPath;
  readonly health: PathHealth;
  rounds: number;
  at: number;
  /** The next round looks at everything. */
  thorough: boolean;
}

export class Prober {
  readonly #options: ProberOptions;
  /** By interface and address: a new address is a new path. Bounded by PATHS_MAX; what is gone is forgotten. */
  #probed = new Map<string, Probed>();
  /** The latest addresses of the two names. */
  readonly #known = new Map<string, readonly string[]>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Until `stop`. Does not keep the process alive. */
  start(): void {
    void this.round().finally(() => this.#arm());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  get results(): ProbedHealth[] {
    return [...this.#probed.values()].map(({ path, health, at }) => ({
      path: path.name,
      interface: path.interface,
      address: path.address,
      at,
      ...health.health,
    }));
  }

  /** One round; `start` makes them by itself. Never rejects. */
  async round(): Promise<void> {
    const { listPaths, metered, to, portal } = this.#options;
    const usable = listPaths().filter(({ trouble, cost }) => trouble === undefined && (metered || cost !== 'metered'));
    if (usable.length === 0) return this.#keep([]);
    const servers = await this.#addressesOf(to.host);
    const web = portal === undefined ? [] : await this.#addressesOf(hostOf(portal));
    // A path of a family that the server does not have can tell nothing of it.
    this.#keep(usable.filter(({ family }) => ofFamily(servers, family) !== undefined).slice(0, PATHS_MAX));
    await Promise.all([...this.#probed.values()].map((one) => this.#probe(one, servers, web)));
  }

  /** Without an answer those that it gave before: names, too, may need the path that is in question. */
  async #addressesOf(host: string): Promise<readonly string[]> {
    try {
      const addresses = await this.#options.resolve(host);
      this.#known.set(host, addresses);
      return addresses;
    } catch {
      return this.#known.get(host) ?? [];
    }
  }

  #keep(paths: readonly ProbedPath[]): void {
    const before = this.#probed;
    this.#probed = new Map();
    for (const path of paths) {
      const key = `${path.index} ${path.address}`;
      const known = before.get(key);
      const fresh = { health: new PathHealth(), rounds: 0, at: 0, thorough: true };
      this.#probed.set(key, { ...(known ?? fresh), path });
    }
  }

  async #probe(one: Probed, servers: readonly string[], web: readonly string[]): Promise<void> {
    const { path, health } = one;
    const result = await this.#ask(one, servers, web);
    one.at = Date.now();
    one.rounds++;
    const changes = health.add(result);
    // What has changed is looked at in full with the next round, and then at its turn.
    one.thorough = changes.length > 0 || one.rounds % THOROUGH_EVERY === 0;
    if (this.#stopped) return;
    for (const change of changes) this.#options.onChange(path, change, health.health);
  }

  async #ask({ path, thorough }: Probed, servers: readonly string[], web: readonly string[]): Promise<ProbeResult> {
    const { to, portal } = this.#options;
    const server = { address: ofFamily(servers, path.family) as string, port: to.port };
    const tcp = await attempt(path, server, false);
    if (!thorough) return { tcp };
    // One after the other: a slow path should not see all of them at once.
    const mptcp = tcp.kind === 'answered' ? await attempt(path, server, true) : undefined;
    const found = portal === undefined ? undefined : await askForPage(path, web, new URL(portal));
    return { tcp, ...(mptcp === undefined ? {} : { mptcp }), ...(found === undefined ? {} : { portal: found }) };
  }

  #arm(): void {
    if (this.#stopped) return;
    const { every } = this.#options;
    this.#timer = setTimeout(() => this.start(), every * (1 + Math.random() / 10));
    this.#timer.unref();
  }
}

async function askForPage(path: ProbedPath, web: readonly string[], url: URL): Promise<PortalFinding | undefined> {
  const address = ofFamily(web, path.family);
  return address === undefined ? undefined : lookForPortal(path, { address, port: Number(url.port || 80) }, url);
}

function ofFamily(addresses: readonly string[], family: 4 | 6): string | undefined {
  return addresses.find((address) => address.includes(':') === (family === 6));
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}
