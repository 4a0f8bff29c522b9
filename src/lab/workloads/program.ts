// What the programs inside hosts share: a job comes in, lines go out, and the end of standard input means stop, so that
// none outlives the lab that started it.

import { readSync, writeSync } from 'node:fs';
import { Connection } from '../../dataplane/connection.ts';
import type { EventLoop } from '../../dataplane/event-loop.ts';

const STDIN = 0;
const STDOUT = 1;
const JOB_BYTES_MAX = 1 << 20;
const WRITE_MS_MAX = 10_000;
const RETRY_MS = 1;

/** Nobody wakes it: waiting on it is how a thread without an event loop sleeps. */
const sleeping = new Int32Array(new SharedArrayBuffer(4));

/** Reads the first line of standard input. Throws an Error when it is no JSON or too long. */
export function readJob<Job>(): Job {
  const chunk = Buffer.alloc(4096);
  let text = '';
  while (!text.endsWith('\n')) {
    const got = readSome(chunk);
    if (got === 0 || text.length > JOB_BYTES_MAX) throw new Error('no job on standard input');
    text += chunk.toString('latin1', 0, got);
  }
  return JSON.parse(Buffer.from(text, 'latin1').toString()) as Job;
}

/** Waits for the lab, which may have to find out first what the job is. */
function readSome(into: Buffer): number {
  for (;;) {
    try {
      return readSync(STDIN, into);
    } catch (error) {
      // Node may give its children sockets that do not block.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(sleeping, 0, 0, RETRY_MS);
    }
  }
}

/** Waits while the lab does not read; throws when that takes longer than WRITE_MS_MAX. */
export function writeLine(line: object): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  const deadline = performance.now() + WRITE_MS_MAX;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(STDOUT, bytes, at);
    } catch (error) {
      // A report is longer than a socket holds.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > deadline) throw error;
      Atomics.wait(sleeping, 0, 0, RETRY_MS);
    }
  }
}

/** Calls back once when standard input says or means stop. It must be a socket, which is what Node gives its children. */
export function onStop(loop: EventLoop, stop: () => void): void {
  new Connection(loop, STDIN, false, {
    onReady: (connection) => {
      if (!connection.readable) return;
      connection.detach();
      stop();
    },
  });
}
