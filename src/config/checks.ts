// What only several values together can tell: names that clash or are missing, chains that do not end, rules that
// cannot hold. Works on the file as it was parsed, so that it finds what it can find also when single values are faulty.

import { isLoopback } from '../routing/access.ts';
import { checkInbounds, isInboundType } from './check-inbounds.ts';
import { checkOutbounds } from './check-outbounds.ts';
import { checkPaths } from './check-paths.ts';
import { type FaultPath, type Finding, printable } from './fault.ts';
import { readLog } from './log-target.ts';
import { inboundNames, mapsOf, type RawMap } from './names.ts';
import { nearest, suggest } from './nearest.ts';
import type { Accounts } from './passwd.ts';
import { readAccount, readListen } from './readings.ts';

/** `accounts`: of this machine, where they are known. */
export function checkTogether(raw: unknown, accounts: Accounts = new Map()): Finding[] {
  if (typeof raw !== 'object' || raw === null) return [];
  const file = raw as RawMap;
  return [
    ...checkInbounds(file.inbounds),
    ...checkOutbounds(file.outbounds),
    ...checkRules(file),
    ...checkAccounts(file, accounts),
    ...checkDashboard(file),
    ...checkLog(file),
    ...checkPaths(file),
  ];
}

function checkDashboard({ dashboard, dashboardToken }: RawMap): Finding[] {
  const listen = typeof dashboard === 'string' ? readListen(dashboard) : undefined;
  if (listen === undefined || !('value' in listen) || isLoopback(listen.value.address)) return [];
  if (dashboardToken !== undefined) return [];
  const message = 'is open to others without a token';
  return [{ path: ['dashboard'], message, hint: 'set dashboardToken, or listen on 127.0.0.1 and come by ssh -L' }];
}

/** Settings of a database beside a target that is none. */
function checkLog({ log }: RawMap): Finding[] {
  if (typeof log !== 'object' || log === null || !('target' in log) || typeof log.target !== 'string') return [];
  const place = readLog(log.target);
  if (!('value' in place) || place.value.kind === 'database') return [];
  const message = 'is for databases only';
  const hint = 'leave it out, or name a database as the target';
  return ['retention', 'spool', 'gateway']
    .filter((key) => key in log)
    .map((key) => ({ path: ['log', key], message, hint, atKey: true }));
}

function checkRules(file: RawMap): Finding[] {
  const inbounds = mapsOf(file.inbounds).map(({ map }) => map);
  const listening: readonly RawMap[] = file.inbounds === undefined ? [{ type: 'mixed' }] : inbounds;
  const names = inboundNames(listening).filter((_, index) => {
    // A name made of a faulty type is nobody's.
    return typeof listening[index]?.name === 'string' || isInboundType(listening[index]?.type);
  });
  const known = {
    inbound: [...new Set([...names, ...listening.map(({ type }) => type).filter(isInboundType)])],
    user: texts(inbounds.flatMap(({ users }) => mapsOf(users).map(({ map }) => map.name))),
    use: [...new Set(['direct', ...texts(mapsOf(file.outbounds).map(({ map }) => map.name)), 'deny'])],
  };
  return mapsOf(file.rules).flatMap(({ index, map: { when, use } }) => {
    const conditions = typeof when === 'object' && when !== null ? (when as RawMap) : {};
    const at = (key: string): FaultPath => ['rules', index, 'when', key];
    return [
      ...unknownNames(conditions.inbound, known.inbound, at('inbound'), 'no inbound has this name or type'),
      ...unknownNames(conditions.user, known.user, at('user'), 'no inbound has a user of this name'),
      ...unknownNames(use, known.use, ['rules', index, 'use'], 'no outbound has this name'),
    ];
  });
}

/** Names only: numbers need no entry in any list. */
function checkAccounts(file: RawMap, accounts: Accounts): Finding[] {
  return mapsOf(file.rules).flatMap(({ index, map: { when } }) => {
    if (typeof when !== 'object' || when === null) return [];
    return entriesOf((when as RawMap).account, ['rules', index, 'when', 'account']).flatMap(([path, name]) => {
      const account = typeof name === 'string' ? readAccount(name) : undefined;
      // Faulty ones are told of already.
      if (account === undefined || !('value' in account) || typeof account.value === 'number') return [];
      if (accounts.has(account.value)) return [];
      const near = nearest(account.value, [...accounts.keys()]);
      const hint =
        near === undefined ? `the number of one from elsewhere: id -u ${account.value}` : `did you mean ${near}?`;
      return [{ path, message: `/etc/passwd has no account "${printable(account.value)}"`, hint }];
    });
  });
}

/** `value`: a name, or a list of them. */
function unknownNames(value: unknown, known: readonly string[], path: FaultPath, message: string): Finding[] {
  return entriesOf(value, path).flatMap(([at, name]) => {
    if (typeof name !== 'string' || name === '' || known.includes(name)) return [];
    return [{ path: at, message, hint: suggest(name, known) }];
  });
}

/** One value, or those of a list, each with its place. */
function entriesOf(value: unknown, path: FaultPath): readonly (readonly [FaultPath, unknown])[] {
  if (!Array.isArray(value)) return [[path, value]];
  return value.map((entry: unknown, index) => [[...path, index], entry]);
}

function texts(values: readonly unknown[]): string[] {
  return values.filter((value) => typeof value === 'string');
}
