// setns(2). A namespace is a property of the thread, not of the process.

import { closeSync, openSync } from 'node:fs';
import { declare, lastErrno } from './library.ts';
import { LinuxError } from './linux-error.ts';

const setns = declare('int setns(int fd, int type)');

/** include/uapi/linux/sched.h */
const CLONE_NEWNET = 0x40000000;

/**
 * Moves the calling thread, and no other, into the network namespace at `path` (/run/netns/x, /proc/1/ns/net). Sockets
 * the thread opens from then on belong there; those it has stay where they are. Throws a LinuxError, or fs's error when
 * the path is not there. Never call it on the main thread of a program that goes on afterwards.
 */
export function enterNetworkNamespace(path: string): void {
  const fd = openSync(path, 'r');
  try {
    if (setns(fd, CLONE_NEWNET) < 0) throw new LinuxError(lastErrno(), 'setns', path);
  } finally {
    closeSync(fd);
  }
}
