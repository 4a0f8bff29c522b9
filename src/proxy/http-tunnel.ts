// Two sockets joined for good: what follows a CONNECT or an upgrade on a connection the HTTP forwarder holds. These are
// few (a CONNECT as the first request never comes here), so they may run through Node's streams.

import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';

/**
 * Carries bytes and each side's end both ways until both have ended; `fromClient` and `fromServer` came before. An
 * error on one side, or `idleMs` without a byte, resets the client and closes the server. Never rejects.
 */
export async function joinSockets(
  client: Socket,
  server: Socket,
  early: { readonly fromClient: Buffer; readonly fromServer: Buffer },
  idleMs: number,
): Promise<void> {
  // Every byte passes both sockets, so one clock is enough.
  client.setTimeout(idleMs, () => {
    server.destroy();
    resetClient(client);
  });
  client.setNoDelay(true);
  server.setNoDelay(true);
  if (early.fromServer.length > 0) client.write(early.fromServer);
  if (early.fromClient.length > 0) server.write(early.fromClient);
  // Not `pipeline`, which closes the one in order when the other has broken off.
  client.pipe(server);
  server.pipe(client);
  try {
    await Promise.all([finished(client), finished(server)]);
  } catch {
    server.destroy();
    resetClient(client);
  }
}

/** A client must not take a stream that broke off for one that ended. */
export function resetClient(client: Socket): void {
  if (!client.destroyed) client.resetAndDestroy();
}
