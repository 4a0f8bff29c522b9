// Looks into the network namespace of a host: a process that sleeps there lets its /proc be read from here, at some 50 µs
// a reading.

import { readFileSync, statSync } from 'node:fs';
import type { Host, HostProcess } from '../host.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';

const START_MS_MAX = 60_000;

/** A way to look into the network namespace of a host. */
export interface HostWindow {
  readonly host: Host;
  /** A file of /proc/net, as seen from inside. Throws a LabError when the host is gone. */
  read(file: string): string;
  close(): Promise<void>;
}

/** Rejects with a LabError when the host takes no program. */
export async function openWindow(host: Host): Promise<HostWindow> {
  // Ends with its input, and so never outlives this program.
  const sleeper = host.spawn(['cat']);
  await entered(host, sleeper);
  return {
    host,
    read(file) {
      try {
        return readFileSync(`/proc/${sleeper.pid}/net/${file}`, 'latin1');
      } catch {
        throw new LabError(LabErrorCode.closed, `${host.name}, which was measured, is gone`);
      }
    },
    async close() {
      sleeper.child.stdin.end();
      sleeper.kill('SIGKILL');
      await sleeper.exited.catch(() => undefined);
    },
  };
}

/** What comes back through `cat` says that the process is where it should be. */
function entered(host: Host, { child, exited, pid, kill }: HostProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      kill('SIGKILL');
      reject(new LabError(LabErrorCode.setup, `cannot measure ${host.name}: ${why}`));
    };
    const timer = setTimeout(() => fail(`cat did not answer within ${START_MS_MAX} ms`), START_MS_MAX);
    exited.then(
      ({ stderr }) => fail(stderr.trim() || 'cat ended'),
      (error: Error) => fail(error.message),
    );
    child.stdout.once('data', () => {
      // By now ^C may have ended the process, and the lab with it.
      if (isInside(host, pid)) {
        clearTimeout(timer);
        resolve();
      } else fail('a program did not enter its namespace');
    });
    child.stdin.write('ready\n');
  });
}

function isInside({ namespacePath }: Host, pid: number): boolean {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino === statSync(namespacePath).ino;
  } catch {
    return false;
  }
}
