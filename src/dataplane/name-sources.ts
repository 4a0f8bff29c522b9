// Where answers come from, and in which order: the name servers, then the system's resolver for what they do not know.
// Follows resolv.conf. Bounds the system's share of the work; the number of questions is the resolver's to bound.

import {
  type Answer,
  askNameServers,
  askSystem,
  type DnsClient,
  openDnsClient,
  type SystemLookup,
  systemLookup,
} from './name-servers.ts';
import { createWatchedFile } from './watched-file.ts';

/** getaddrinfo occupies threads of libuv's pool; a queue longer than this would not be served in time anyway. */
const SYSTEM_LOOKUPS_MAX = 64;
const TRIES = 3;
const TRY_TIMEOUT_MS_MIN = 100;

export interface NameSources {
  /** Changes to the name servers resolv.conf lists now; true when they have changed. */
  refresh(): boolean;
  /** Never rejects. `onEarly`: see askNameServers. */
  answer(name: string, onEarly: (addresses: readonly string[], ttlMs: number) => void): Promise<Answer>;
  close(): void;
}

export interface NameSourcesOptions {
  /** Milliseconds of a clock that does not go back. */
  readonly now: () => number;
  /** How long anybody waits for an answer; asking goes on a little longer. */
  readonly timeoutMs: number;
  /** Name servers as `address`, `address:port` or `[v6]:port`; none: those of resolv.conf, read again on a change. */
  readonly servers?: readonly string[];
  readonly resolvConfPath?: string;
  readonly openClient?: typeof openDnsClient;
  readonly lookup?: SystemLookup;
}

export function createNameSources(options: NameSourcesOptions): NameSources {
  const { now, timeoutMs, servers = [], openClient = openDnsClient, lookup = systemLookup } = options;
  const resolvConf = createWatchedFile(options.resolvConfPath ?? '/etc/resolv.conf', now);
  const open = (): DnsClient => openClient(servers, Math.max(TRY_TIMEOUT_MS_MIN, Math.floor(timeoutMs / 4)), TRIES);
  resolvConf.changed();
  let client = open();
  let systemLookups = 0;

  async function systemAnswer(name: string): Promise<Answer> {
    if (systemLookups >= SYSTEM_LOOKUPS_MAX) {
      return { kind: 'failed', timedOut: false, offline: false, detail: 'too many names are being looked up' };
    }
    systemLookups++;
    try {
      return await askSystem(lookup, name);
    } finally {
      systemLookups--;
    }
  }

  return {
    refresh() {
      if (servers.length > 0 || !resolvConf.changed()) return false;
      // Questions under way end with the old client, which lives as long as they do.
      client = open();
      return true;
    },
    async answer(name, onEarly) {
      if (isForSystem(name)) return systemAnswer(name);
      const found = await askNameServers(client, name, onEarly);
      if (found.kind === 'addresses' || (found.kind === 'failed' && !found.offline)) return found;
      // Search domains and the other sources of nsswitch.conf; the name servers' own verdict is the better message.
      const system = await systemAnswer(name);
      return system.kind === 'addresses' ? system : found;
    },
    close() {
      client.cancel();
    },
  };
}

/** Single labels need the search domains, and `.local` is for multicast DNS (RFC 6762 §3): name servers know neither. */
function isForSystem(name: string): boolean {
  return !name.includes('.') || name.endsWith('.local');
}
