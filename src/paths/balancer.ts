// A gateway behind a load balancer. Connections reach it by an address that other gateways share, and a join to that
// address may land at any of them, which refuses it. So clients are told not to join there (the C flag of MP_CAPABLE, RFC
// 8684 §3.1), and which addresses are this gateway's own (ADD_ADDR, §3.4.1).

import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { BalancerConfig } from '../config/config.ts';
import { NetlinkError } from '../netlink/netlink-error.ts';
import { PathManager } from '../netlink/path-manager.ts';
import { formatHostPort } from '../wire/destination.ts';
import type { PmAddress } from '../wire/mptcp-pm.ts';

/** It cannot be set up: no MPTCP, no right to, or an address that is not ours. The message says what to do. */
export class BalancerError extends Error {
  readonly code = 'BALANCER_REFUSED';
}

export interface BalancerOptions {
  /** Where what was set up is noted for the case of a crash; it goes with the machine's start, as the settings do. */
  readonly stateDirectory: string;
  /** Where /proc/sys is. */
  readonly root?: string;
}

export type AnnouncedAddress = BalancerConfig['announce'][number];

/** What was changed, and is to be taken back. */
interface Noted {
  /** Of the setting, before. */
  readonly joins: string;
  /** Those that were not there before. */
  readonly endpoints: readonly AnnouncedAddress[];
}

const SETTING = 'net/mptcp/allow_join_initial_addr_port';
const DENIED = '0';

export class Balancer {
  readonly #options: BalancerOptions;
  readonly #noted: Noted;

  private constructor(options: BalancerOptions, noted: Noted) {
    this.#options = options;
    this.#noted = noted;
  }

  /** Takes effect for connections from now on. Throws a BalancerError, and leaves all as it was. */
  static setUp({ announce }: BalancerConfig, options: BalancerOptions): Balancer {
    const pm = openPathManager();
    try {
      undo(readNote(options), pm, options);
      const before = readSetting(options);
      const endpoints: AnnouncedAddress[] = [];
      const noted: Noted = { joins: before, endpoints };
      try {
        for (const one of announce) {
          if (isThere(one, pm)) continue;
          pm.add(endpointOf(one));
          endpoints.push(one);
        }
        // Only now: a client that may not join the shared address must have another one to join.
        writeSetting(DENIED, options);
        writeNote(noted, options);
        return new Balancer(options, noted);
      } catch (error) {
        undo(noted, pm, options);
        throw explained(error, announce[endpoints.length]);
      }
    } finally {
      pm.close();
    }
  }

  /** Takes back what was set up, unless somebody has changed it since. Safe to repeat. */
  close(): void {
    const pm = openPathManager();
    undo(this.#noted, pm, this.#options);
    pm.close();
    rmSync(notePath(this.#options), { force: true });
  }
}

function openPathManager(): PathManager {
  const pm = PathManager.open();
  if (pm === undefined) throw new BalancerError('this kernel has no MPTCP');
  return pm;
}

function endpointOf({ address, port }: AnnouncedAddress): PmAddress {
  return { address, port, id: 0, flags: ['signal'], index: 0 };
}

function isThere({ address, port }: AnnouncedAddress, pm: PathManager): boolean {
  return findEndpoint(pm, address, port) !== undefined;
}

function findEndpoint(pm: PathManager, address: string, port: number): PmAddress | undefined {
  return pm.endpoints().find((one) => one.address === address && one.port === port && one.flags.includes('signal'));
}

function undo(noted: Noted | undefined, pm: PathManager, options: BalancerOptions): void {
  if (noted === undefined) return;
  try {
    if (readSetting(options) === DENIED && noted.joins !== DENIED) writeSetting(noted.joins, options);
    for (const { address, port } of noted.endpoints) {
      const endpoint = findEndpoint(pm, address, port);
      if (endpoint !== undefined) pm.delete(endpoint);
    }
  } catch {
    // Without the right to, what is left stays, as after any crash.
  }
}

function explained(error: unknown, at: AnnouncedAddress | undefined): unknown {
  if (error instanceof BalancerError) return error;
  if (error instanceof NetlinkError && error.code === 'EADDRNOTAVAIL' && at !== undefined) {
    const where = formatHostPort(at.address, at.port);
    return new BalancerError(`${where} cannot be announced: with a port it must be an address of this machine`);
  }
  if (error instanceof NetlinkError && error.code === 'EADDRINUSE' && at !== undefined) {
    const where = formatHostPort(at.address, at.port);
    return new BalancerError(`${where} cannot be announced: the port is taken; the kernel itself listens there`);
  }
  return error instanceof NetlinkError ? new BalancerError(error.message) : error;
}

function settingPath({ root = '/proc/sys' }: BalancerOptions): string {
  return join(root, SETTING);
}

function readSetting(options: BalancerOptions): string {
  try {
    return readFileSync(settingPath(options), 'utf8').trim();
  } catch {
    throw new BalancerError('this kernel cannot tell clients not to join the shared address: Linux ≥ 5.14 can');
  }
}

function writeSetting(value: string, options: BalancerOptions): void {
  try {
    writeFileSync(settingPath(options), value);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new BalancerError(`net.mptcp.allow_join_initial_addr_port cannot be set: ${reason}; it needs CAP_NET_ADMIN`);
  }
}

/** Each network namespace has settings of its own. */
function notePath({ stateDirectory }: BalancerOptions): string {
  return join(stateDirectory, `balancer-${statSync('/proc/self/ns/net').ino}.json`);
}

function readNote(options: BalancerOptions): Noted | undefined {
  try {
    const { joins, endpoints } = JSON.parse(readFileSync(notePath(options), 'utf8')) as Noted;
    const isSound = /^[01]$/.test(joins) && endpoints.every((one) => typeof one.address === 'string');
    return isSound ? { joins, endpoints } : undefined;
  } catch {
    return undefined;
  }
}

/** Best effort: without it only a crash leaves something behind. */
function writeNote(noted: Noted, options: BalancerOptions): void {
  try {
    mkdirSync(options.stateDirectory, { recursive: true });
    writeFileSync(notePath(options), JSON.stringify(noted), { mode: 0o600 });
  } catch {
    // A directory that is not ours.
  }
}

/** What an administrator should know of the announced addresses; `listening`: where inbounds listen for MPTCP. */
export function warningsFor(
  announce: readonly AnnouncedAddress[],
  own: ReadonlySet<string>,
  listening: readonly AnnouncedAddress[],
): string[] {
  const warnings: string[] = [];
  for (const { address, port } of announce) {
    if (!own.has(address)) {
      warnings.push(
        `${address} is no address of this machine: it must be translated to one of it, each port to itself`,
      );
    }
    // With a port the kernel listens by itself.
    const isHeard = (one: AnnouncedAddress) =>
      one.address === address || one.address === anyOf(address) || one.address === '::';
    if (port === 0 && own.has(address) && !listening.some(isHeard)) {
      warnings.push(`no inbound with MPTCP listens on ${address}: joins there will be refused; add a port to it`);
    }
  }
  return warnings;
}

function anyOf(address: string): string {
  return address.includes(':') ? '::' : '0.0.0.0';
}
