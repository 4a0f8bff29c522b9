// One process to a directory: a file `lock` that names its holder. The holder is known by process id, start time and
// pid namespace, so that a file left by a crash, or a number handed out again, locks nobody out.

import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, readlink, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How often a holder shows that it lives; needed only by processes that cannot see its /proc entry. */
const TOUCH_MS = 15_000;
/** A holder in another pid namespace that was not heard of for so long is gone. */
const SILENT_MS = 60_000;
const TRIES = 5;

interface Holder {
  readonly pid: number;
  /** In clock ticks since boot (proc_pid_stat(5), field 22). */
  readonly start: string;
  /** As in /proc/PID/ns/pid. */
  readonly namespace: string;
}

export class DirectoryLockedError extends Error {
  readonly code = 'directory-locked';
  readonly pid: number;

  constructor(directory: string, pid: number) {
    super(`${directory} is in use by process ${pid}`);
    this.name = 'DirectoryLockedError';
    this.pid = pid;
  }
}

export class DirectoryLock {
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;

  /** Makes the directory when there is none. Rejects with a DirectoryLockedError, or with Node's error. */
  static async take(directory: string): Promise<DirectoryLock> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'lock');
    const own = join(directory, `lock.${process.pid}.${randomBytes(4).toString('hex')}`);
    const holder = { pid: process.pid, start: (await startOf('self')) ?? '', namespace: await namespaceOf('self') };
    await writeFile(own, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
    try {
      for (let attempt = 0; attempt < TRIES; attempt++) {
        // link(2) fails when the name is there: the file appears whole, or not at all.
        if (await succeeds(link(own, path), 'EEXIST')) return new DirectoryLock(path);
        const other = await readHolder(path);
        if (other !== undefined && (await isAlive(other, path))) throw new DirectoryLockedError(directory, other.pid);
        await discard(path, other);
      }
      throw new DirectoryLockedError(directory, (await readHolder(path))?.pid ?? 0);
    } finally {
      await unlink(own);
    }
  }

  private constructor(path: string) {
    this.#path = path;
    // A failure means that the directory is gone, and with it what was to be guarded.
    this.#timer = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), TOUCH_MS).unref();
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await succeeds(unlink(this.#path), 'ENOENT');
  }
}

/** The living holder of a directory's lock, or undefined. */
export async function lockHolder(directory: string): Promise<number | undefined> {
  const path = join(directory, 'lock');
  const holder = await readHolder(path);
  return holder !== undefined && (await isAlive(holder, path)) ? holder.pid : undefined;
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

async function isAlive(holder: Holder, path: string): Promise<boolean> {
  if (holder.namespace === (await namespaceOf('self'))) return (await startOf(holder.pid)) === holder.start;
  try {
    return Date.now() - (await stat(path)).mtimeMs < SILENT_MS;
  } catch {
    return false;
  }
}

/**
 * Takes a dead holder's file away. Two processes may find it dead together, and the slower one would then take away the
 * quicker one's new file: so it is moved first, looked at, and put back if it is another.
 */
async function discard(path: string, dead: Holder | undefined): Promise<void> {
  const aside = `${path}.${process.pid}.dead`;
  if (!(await succeeds(rename(path, aside), 'ENOENT'))) return;
  const moved = await readHolder(aside);
  if (moved?.pid !== dead?.pid || moved?.start !== dead?.start) await succeeds(link(aside, path), 'EEXIST');
  await unlink(aside);
}

async function startOf(pid: number | 'self'): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command's name, in parentheses, may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

async function namespaceOf(pid: 'self'): Promise<string> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => '');
}

/** False when it fails with this code; any other failure is thrown. */
async function succeeds(action: Promise<unknown>, code: string): Promise<boolean> {
  try {
    await action;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false;
    throw error;
  }
}
