// What several values of the inbounds tell together.

import { isLoopback } from '../routing/access.ts';
import { formatHostPort } from '../wire/destination.ts';
import type { ListenAddress } from './config.ts';
import type { FaultPath, Finding } from './fault.ts';
import { inboundNames, mapsOf, type RawMap } from './names.ts';
import { DESTINATION_HINT, readListen } from './readings.ts';
import { INBOUND_TYPES } from './schema.ts';

interface Listening extends ListenAddress {
  readonly path: FaultPath;
  readonly inbound: string;
}

export function checkInbounds(inbounds: unknown): Finding[] {
  const maps = mapsOf(inbounds);
  const names = inboundNames(maps.map(({ map }) => map));
  const listening = maps.flatMap(({ index, map }, order) => {
    return listeningOf(map, ['inbounds', index], names[order] as string);
  });
  return [
    ...maps.flatMap(({ index, map }) => checkInbound(map, ['inbounds', index], listening)),
    ...checkNames(maps),
    ...checkPorts(listening),
  ];
}

function checkInbound(map: RawMap, path: FaultPath, listening: readonly Listening[]): Finding[] {
  const findings: Finding[] = [];
  const isForward = map.type === 'forward';
  if (isForward && map.target === undefined) {
    findings.push({ path: [...path, 'target'], message: 'is missing', hint: `forward needs ${DESTINATION_HINT}` });
  }
  if (!isForward && map.target !== undefined && isInboundType(map.type)) {
    const hint = `leave it out, or make the type forward; clients of ${map.type} name their targets`;
    findings.push({ path: [...path, 'target'], message: 'is for forward only', hint, atKey: true });
  }
  if (isForward && map.users !== undefined) {
    const hint = 'leave it out, and list the client networks under sources';
    findings.push({ path: [...path, 'users'], message: 'forward has no authentication', hint, atKey: true });
  }
  findings.push(...duplicates(mapsOf(map.users), [...path, 'users'], 'a user of this name exists already'));
  if (map.open !== true && isEmpty(map.sources) && (isForward || isEmpty(map.users))) {
    const exposed = listening.find((one) => one.path[1] === path[1] && !isLoopback(one.address));
    if (exposed !== undefined) findings.push(exposure(exposed, isForward));
  }
  return findings;
}

function exposure({ path, address, port }: Listening, isForward: boolean): Finding {
  const loopback = formatHostPort(address.includes(':') ? '::1' : '127.0.0.1', port);
  return {
    path,
    message: `${formatHostPort(address, port)} is open to whoever reaches it`,
    hint: `${isForward ? '' : 'add users, or '}add sources (client networks), or listen on "${loopback}", or say open: true`,
  };
}

export function isInboundType(type: unknown): type is (typeof INBOUND_TYPES)[number] {
  return INBOUND_TYPES.some((known) => known === type);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

function listeningOf(map: RawMap, path: FaultPath, inbound: string): Listening[] {
  const entries: readonly [FaultPath, unknown][] = Array.isArray(map.listen)
    ? map.listen.map((entry: unknown, index): [FaultPath, unknown] => [[...path, 'listen', index], entry])
    : [[[...path, 'listen'], map.listen]];
  return entries.flatMap(([at, text]) => {
    const reading = typeof text === 'string' ? readListen(text) : undefined;
    return reading !== undefined && 'value' in reading ? [{ ...reading.value, path: at, inbound }] : [];
  });
}

function checkNames(maps: ReturnType<typeof mapsOf>): Finding[] {
  const misleading = maps.filter(
    ({ map }) => isInboundType(map.name) && isInboundType(map.type) && map.name !== map.type,
  );
  return [
    ...duplicates(maps, ['inbounds'], 'an inbound of this name exists already'),
    ...misleading.map(({ index, map }) => ({
      path: ['inbounds', index, 'name'],
      message: `names a type, and this inbound is of another (${String(map.type)})`,
      hint: 'another name: rules name inbounds by name or type',
    })),
  ];
}

/** Entries whose name one before them has. */
export function duplicates(maps: ReturnType<typeof mapsOf>, path: FaultPath, message: string): Finding[] {
  const seen = new Set<unknown>();
  return maps.flatMap(({ index, map: { name } }) => {
    if (typeof name === 'string' && seen.has(name)) {
      return [{ path: [...path, index, 'name'], message, hint: 'a name that no other has' }];
    }
    seen.add(name);
    return [];
  });
}

/** The kernel would let two of our listeners share a port (SO_REUSEPORT), and deal connections out between them. */
function checkPorts(listening: readonly Listening[]): Finding[] {
  /** The first of each port and address. Bounded by the addresses given. */
  const ports = new Map<number, Map<string, Listening>>();
  const findings: Finding[] = [];
  for (const one of listening) {
    if (one.port === 0) continue;
    const others = ports.get(one.port) ?? new Map<string, Listening>();
    ports.set(one.port, others);
    const other = others.get(one.address) ?? overlapping(one, others);
    if (other !== undefined) {
      const taken = formatHostPort(other.address, other.port);
      const whose = other.path[1] === one.path[1] ? 'this inbound' : `inbound ${other.inbound}`;
      const message = `${formatHostPort(one.address, one.port)} meets ${taken} of ${whose}`;
      findings.push({ path: one.path, message, hint: 'another port, or another address' });
    }
    if (!others.has(one.address)) others.set(one.address, one);
  }
  return findings;
}

/** `0.0.0.0` takes in every IPv4 address, `::` every address. */
function overlapping({ address }: Listening, others: ReadonlyMap<string, Listening>): Listening | undefined {
  const wide = others.get('::') ?? (address.includes(':') ? undefined : others.get('0.0.0.0'));
  if (wide !== undefined) return wide;
  if (address === '::') return others.values().next().value;
  return address === '0.0.0.0' ? [...others.values()].find((other) => !other.address.includes(':')) : undefined;
}
