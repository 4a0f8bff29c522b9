// One path manager of ours at a time in a network namespace: two would take the same marks for their own, and each would
// remove what the other has set up.

import { createServer } from 'node:net';

/** An abstract unix socket (unix(7)): names of those belong to the network namespace, and end with the process. */
const NAME = '\0anabranch-paths';

/** Resolves to what lets go again; to `undefined` when somebody else holds it. */
export function holdPaths(): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(NAME, () => resolve(() => void server.close()));
    server.unref();
  });
}
