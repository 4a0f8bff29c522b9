// What several values of the outbounds tell together.

import { DENY, DIRECT } from '../routing/rules.ts';
import { duplicates } from './check-inbounds.ts';
import type { FaultPath, Finding } from './fault.ts';
import { mapsOf, type RawMap } from './names.ts';
import { suggest } from './nearest.ts';
import { DESTINATION_HINT } from './readings.ts';

export function checkOutbounds(outbounds: unknown): Finding[] {
  const maps = mapsOf(outbounds);
  /** By name; the first of a name counts. */
  const byName = new Map<string, RawMap>([[DIRECT, { name: DIRECT, type: 'direct' }]]);
  for (const { map } of [...maps].reverse()) if (typeof map.name === 'string') byName.set(map.name, map);
  return [
    ...maps.flatMap(({ index, map }) => [
      ...checkOutbound(map, ['outbounds', index]),
      ...checkVia(map, ['outbounds', index], byName),
    ]),
    ...duplicates(maps, ['outbounds'], 'an outbound of this name exists already'),
  ];
}

function checkOutbound(map: RawMap, path: FaultPath): Finding[] {
  const findings: Finding[] = [];
  const isDirect = map.type === 'direct';
  const isProxy = map.type === 'socks' || map.type === 'http';
  if (map.name === DENY) {
    const message = 'deny is what a rule says to refuse a connection';
    findings.push({ path: [...path, 'name'], message, hint: 'another name' });
  }
  if (map.name === DIRECT && isProxy) {
    const message = `direct is what no rule leads to, and this one is a proxy (${String(map.type)})`;
    const hint = 'another name, and a last rule without conditions to use it for everything';
    findings.push({ path: [...path, 'name'], message, hint });
  }
  if (isProxy && map.server === undefined) {
    findings.push({ path: [...path, 'server'], message: 'is missing', hint: DESTINATION_HINT });
  }
  for (const key of ['server', 'credentials', 'via', 'optimistic']) {
    if (isDirect && map[key] !== undefined) {
      const hint = 'leave it out, or make the type socks or http';
      findings.push({ path: [...path, key], message: 'is for proxies, and direct asks none', hint, atKey: true });
    }
  }
  return findings;
}

function checkVia(map: RawMap, path: FaultPath, byName: ReadonlyMap<string, RawMap>): Finding[] {
  const { name, via } = map;
  if (typeof via !== 'string' || map.type === 'direct') return [];
  if (!byName.has(via)) {
    const known = [...byName.keys()].filter((other) => other !== name);
    return [{ path: [...path, 'via'], message: 'no outbound has this name', hint: suggest(via, known) }];
  }
  // Bounded by the number of outbounds: the walk ends where it has been before.
  const chain = [typeof name === 'string' ? name : ''];
  for (let next: unknown = via; typeof next === 'string'; next = byName.get(next)?.via) {
    const begin = chain.indexOf(next);
    chain.push(next);
    if (begin < 0) continue;
    // Said once, at each outbound of the circle; those that only lead to it are right in themselves.
    if (begin > 0) return [];
    return [
      {
        path: [...path, 'via'],
        message: `goes in a circle: ${chain.join(' → ')}`,
        hint: 'a chain that ends at direct',
      },
    ];
  }
  return ['transport', 'socket'].flatMap((key) => {
    if (map[key] === undefined) return [];
    const message = `has no effect: ${via} opens the connection`;
    return [{ path: [...path, key], message, hint: `set it at ${chain.at(-1)}, or leave it out`, atKey: true }];
  });
}
