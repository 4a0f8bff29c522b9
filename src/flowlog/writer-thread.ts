// The log's own thread: takes what the main thread has put into the spool to the database. An embedded database lives
// here too, and is shared with readers through its socket.

import { parentPort, workerData } from 'node:worker_threads';
import { Drain } from './drain.ts';
import { openEmbedded } from './embedded-database.ts';
import { openQuerySocket, type QuerySocket } from './query-socket.ts';
import { SpoolReader } from './spool-reader.ts';
import { nameOf, secretsOf } from './target.ts';
import { troubleOf } from './trouble.ts';
import type { FromWriter, ToWriter, WriterSetup } from './writer-messages.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the main file of a worker thread');
const setup = workerData as WriterSetup;
const { target } = setup;
const post = (message: FromWriter) => port.postMessage(message);

const reader = new SpoolReader({
  directory: setup.spool,
  onDamaged: (segment, bytes) => post({ kind: 'damaged', segment, bytes }),
});
for (const { number, bytes } of setup.segments) reader.onWritten(number, bytes);
// Known before it is made, it tells that those before it are whole.
if (!setup.segments.some(({ number }) => number >= setup.activeFrom)) reader.onWritten(setup.activeFrom, 0);

const drain = new Drain({
  reader,
  openDatabase: async (onLost) => {
    if (target.kind === 'embedded') return openEmbedded(target.directory);
    const { openPostgres } = await import('./postgres-database.ts');
    return openPostgres(target.url, onLost);
  },
  eager: target.kind === 'postgres',
  gateway: setup.gateway,
  run: setup.run,
  retentionMs: setup.retentionMs,
  retryMsMax: setup.retryMsMax,
  now: () => Date.now(),
  onTrouble: (error) => {
    const trouble = error === undefined ? undefined : troubleOf(error, nameOf(target), secretsOf(target));
    post({ kind: 'trouble', trouble });
  },
  onStored: (counts, finished, position) => post({ kind: 'stored', ...counts, finished, position }),
});

port.on('message', (message: ToWriter) => {
  switch (message.kind) {
    case 'written':
      reader.onWritten(message.segment, message.bytes);
      return drain.wake();
    case 'dropped':
      return reader.onDropped(message.segment, message.entries);
    case 'close':
      return drain.close();
  }
});

const socket = await openSocket();
const isStored = await drain.run();
const held = await reader.close();
socket?.close();
await drain.closeDatabase();
post({
  kind: 'stored',
  stored: 0,
  expired: 0,
  rejected: 0,
  reason: undefined,
  lost: 0,
  finished: isStored ? held : [],
  position: reader.position,
});
post({ kind: 'closed' });
port.close();

async function openSocket(): Promise<QuerySocket | undefined> {
  if (target.kind === 'postgres') return undefined;
  try {
    return await openQuerySocket(target.directory, () => drain.database());
  } catch (error) {
    post({ kind: 'no-socket', message: (error as Error).message });
    return undefined;
  }
}
