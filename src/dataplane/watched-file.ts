// Notices that a small system file has changed, by looking at it when it is needed and at most once a second.
//
// The calls are synchronous on purpose: a stat of a local file takes microseconds, while an asynchronous one waits in
// libuv's thread pool behind every getaddrinfo that hangs on a dead name server.

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';

const CHECK_INTERVAL_MS = 1000;

export interface WatchedFile {
  /** True when the file is not the one of the last call (and on the first call), unless asked again within a second. */
  changed(): boolean;
  /** Makes the next look count as a change: the file could not be read. */
  forget(): void;
}

export function createWatchedFile(path: string, now: () => number): WatchedFile {
  let checkedAt = Number.NEGATIVE_INFINITY;
  let seen = '';
  return {
    changed() {
      const time = now();
      if (time - checkedAt < CHECK_INTERVAL_MS) return false;
      checkedAt = time;
      const found = identity(path);
      if (found === seen) return false;
      seen = found;
      return true;
    },
    forget() {
      seen = '';
    },
  };
}

/** Inode, size and both times: an editor that renames a new file into place keeps neither inode nor ctime. */
function identity(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}` : 'absent';
}

/** The first `bytesMax` bytes of a file as text, cut after a whole line when there is more; `undefined` if unreadable. */
export function readTextBounded(path: string, bytesMax: number): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    if (!fstatSync(fd).isFile()) return undefined;
    const bytes = Buffer.allocUnsafe(bytesMax + 1);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(fd, bytes, length, bytes.length - length, null);
      if (count === 0) break;
      length += count;
    }
    if (length <= bytesMax) return bytes.toString('utf8', 0, length);
    return bytes.toString('utf8', 0, bytes.lastIndexOf(0x0a, bytesMax - 1) + 1);
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
