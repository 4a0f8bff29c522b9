// `paths.balancer` of the configuration: this gateway stands behind a load balancer.

import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';

import type { Config } from '../config/config.ts';
import type { Log } from '../proxy/log.ts';
import type { ProxyService } from '../proxy/service.ts';
import { formatHostPort } from '../wire/destination.ts';
import { canonicalIp } from '../wire/ip.ts';
import { defaultAdminPath } from './admin-client.ts';

export interface Announcing {
  close(): void;
}

/** What it cannot do it says, and the proxy runs on. */
export async function startAnnouncing(
  config: Config,
  inbounds: ProxyService['inbounds'],
  log: Log,
): Promise<Announcing | undefined> {
  const { balancer } = config.paths;
  if (balancer === undefined) return undefined;
  const { Balancer, BalancerError, warningsFor } = await import('../paths/balancer.ts');
  const own = Object.values(networkInterfaces()).flatMap(
    (list) => list?.map(({ address }) => canonicalIp(address)) ?? [],
  );
  const listening = inbounds.filter(({ isMptcp }) => isMptcp).map(({ local }) => local);
  for (const warning of warningsFor(balancer.announce, new Set(own.filter((one) => one !== undefined)), listening)) {
    log.warn('balancer', warning);
  }
  try {
    const announcing = Balancer.setUp(balancer, { stateDirectory: dirname(defaultAdminPath()) });
    const told = balancer.announce.map(({ address, port }) => (port === 0 ? address : formatHostPort(address, port)));
    log.info('balancer', `clients are told to join ${told.join(', ')} and not the address they came to`);
    return announcing;
  } catch (error) {
    if (!(error instanceof BalancerError)) throw error;
    log.warn('balancer', `clients will join the shared address, as ever: ${error.message}`);
    return undefined;
  }
}
