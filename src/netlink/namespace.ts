// Sockets of another network namespace. A socket stays in the namespace in which it was opened, so the thread need only
// be there for as long as it opens one.

import { closeSync, openSync } from 'node:fs';
import { enterNetworkNamespace } from '../ffi/namespaces.ts';

/**
 * Runs `open` with this thread in the namespace at `path` (/run/netns/x), or where it is when there is none, and comes
 * back, all without returning to the event loop: nothing else of the thread runs in between. Throws a LinuxError, or
 * fs's error when the path is not there.
 */
export function inNamespace<T>(path: string | undefined, open: () => T): T {
  if (path === undefined) return open();
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    enterNetworkNamespace(path);
    try {
      return open();
    } finally {
      enterNetworkNamespace(`/proc/self/fd/${home}`);
    }
  } finally {
    closeSync(home);
  }
}
