// The thread of the path manager. Entry point of the worker; it stays in its event loop until told to stop.

import { parentPort, workerData } from 'node:worker_threads';
import { EventLoop } from '../dataplane/event-loop.ts';
import { readMailbox } from '../dataplane/mailbox.ts';
import { Manager } from './manager.ts';

export interface ManagerThreadData {
  /** Path of the network namespace; the process's own unless given. */
  readonly namespace: string | undefined;
}

export type ToManager = { readonly kind: 'stop' };

export type FromManager =
  | { readonly kind: 'ready'; readonly wakeFd: number }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'said'; readonly level: 'info' | 'warn'; readonly code: string; readonly message: string };

const port = parentPort;
if (port !== null) {
  const post = (message: FromManager): void => port.postMessage(message);
  const { namespace } = workerData as ManagerThreadData;
  const loop = new EventLoop(() => {
    readMailbox<ToManager>(port, () => loop.stop());
  });
  let manager: Manager | undefined;
  try {
    manager = new Manager(
      loop,
      { say: (level, code, message) => post({ kind: 'said', level, code, message }) },
      { namespace },
    );
  } catch (error) {
    post({ kind: 'refused', message: error instanceof Error ? error.message : String(error) });
  }
  if (manager !== undefined) {
    post({ kind: 'ready', wakeFd: loop.wakeFd });
    loop.run();
    manager.close();
  }
}
