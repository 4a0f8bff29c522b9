// setns(2) and what else concerns one thread. A namespace is a property of the thread, not of the process.

import { closeSync, openSync } from 'node:fs';
import { declare, lastErrno } from './library.ts';
import { LinuxError } from './linux-error.ts';

const c = {
  setns: declare('int setns(int fd, int type)'),
  prctl: declare('int prctl(int option, unsigned long value, unsigned long a, unsigned long b, unsigned long c)'),
};

/** include/uapi/linux/sched.h */
const CLONE_NEWNET = 0x40000000;
/** include/uapi/linux/prctl.h */
const PR_SET_TIMERSLACK = 29;

/**
 * Moves the calling thread, and no other, into the network namespace at `path` (/run/netns/x, /proc/1/ns/net). Sockets
 * the thread opens from then on belong there; those it has stay where they are. Throws a LinuxError, or fs's error when
 * the path is not there. Never call it on the main thread of a program that goes on afterwards.
 */
export function enterNetworkNamespace(path: string): void {
  const fd = openSync(path, 'r');
  try {
    if (c.setns(fd, CLONE_NEWNET) < 0) throw new LinuxError(lastErrno(), 'setns', path);
  } finally {
    closeSync(fd);
  }
}

/** How much later than asked the kernel may wake the calling thread (50 µs unless told), in nanoseconds ≥ 1. */
export function setTimerSlack(nanoseconds: number): void {
  c.prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
}
