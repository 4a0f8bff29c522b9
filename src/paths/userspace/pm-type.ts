// Which path manager the connections of a network namespace get when they begin: the kernel's, or one in user space. Set
// while ours is at work, and put back.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { inNamespace } from '../../netlink/namespace.ts';
import { NetlinkError } from '../../netlink/netlink-error.ts';
import type { Rule, RuleChange } from '../../wire/rtnetlink.ts';
import { OUR_PROTOCOL } from '../marks.ts';

/** From Linux 6.15 on, by name; before, 0 and 1. */
const BY_NAME = '/proc/sys/net/mptcp/path_manager';
const BY_NUMBER = '/proc/sys/net/mptcp/pm_type';

export type PathManagerType = 'kernel' | 'userspace';

/**
 * A rule that leads nowhere notes that we have switched it, for whoever must put it back after a crash. From the dummy
 * address of RFC 7600, which no packet has.
 */
export const SWITCH_NOTE: RuleChange = {
  family: 4,
  priority: 17_401,
  table: 173_300,
  protocol: OUR_PROTOCOL,
  from: '192.0.0.8',
};

export function isSwitchNote({ family, priority, table, protocol, from }: Rule): boolean {
  return (
    family === SWITCH_NOTE.family &&
    priority === SWITCH_NOTE.priority &&
    table === SWITCH_NOTE.table &&
    protocol === SWITCH_NOTE.protocol &&
    from === SWITCH_NOTE.from
  );
}

/** `namespace`: its path; the thread's own unless given. Throws a system error. */
export function readPathManagerType(namespace: string | undefined): PathManagerType {
  return inNamespace(namespace, () => {
    const text = readFileSync(existsSync(BY_NAME) ? BY_NAME : BY_NUMBER, 'utf8').trim();
    return text === 'userspace' || text === '1' ? 'userspace' : 'kernel';
  });
}

/** For connections that begin from now on. Throws a LinuxError or a NetlinkError. */
export function writePathManagerType(type: PathManagerType, namespace: string | undefined): void {
  inNamespace(namespace, () => {
    try {
      if (existsSync(BY_NAME)) writeFileSync(BY_NAME, type);
      else writeFileSync(BY_NUMBER, type === 'userspace' ? '1' : '0');
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      if (errno === undefined) throw error;
      throw new NetlinkError(-errno, `setting net.mptcp.path_manager to ${type}`);
    }
  });
}
