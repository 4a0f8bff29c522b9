// The path manager as the main thread sees it.

import { Worker } from 'node:worker_threads';
import { Mailbox } from '../dataplane/mailbox.ts';
import type { FromManager, ManagerThreadData, ToManager } from './manager-thread.ts';

export interface ManagedPathsOptions {
  /** See ManagerEvents. */
  readonly say: (level: 'info' | 'warn', code: string, message: string) => void;
  /** The thread has died; what it set up is still there. */
  readonly onCrash: (error: Error) => void;
  /** Path of a network namespace; the process's own unless given. */
  readonly namespace?: string;
}

/** The paths cannot be managed: no MPTCP, or no right to. */
export class PathsError extends Error {
  readonly code = 'PATHS_REFUSED';
}

const START_MS_MAX = 10_000;
const STOP_MS_MAX = 5_000;

export interface ManagedPaths {
  /** Takes everything back. Resolves when that is done. */
  close(): Promise<void>;
}

/** Resolves once every path is set up. Rejects with a PathsError. */
export function managePaths({ say, onCrash, namespace }: ManagedPathsOptions): Promise<ManagedPaths> {
  const data: ManagerThreadData = { namespace };
  const worker = new Worker(new URL('./manager-thread.js', import.meta.url), {
    name: 'paths',
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  let mailbox: Mailbox<ToManager> | undefined;
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      mailbox?.close();
      resolve();
    });
  });
  const close = async (): Promise<void> => {
    mailbox?.post({ kind: 'stop' });
    const timer = setTimeout(() => void worker.terminate(), STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
  };
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new PathsError('the path manager did not start')), START_MS_MAX);
    worker.on('message', (message: FromManager) => {
      if (message.kind === 'said') return say(message.level, message.code, message.message);
      clearTimeout(timer);
      if (message.kind === 'refused') return reject(new PathsError(message.message));
      mailbox = new Mailbox<ToManager>(worker, message.wakeFd);
      resolve({ close });
    });
    worker.on('error', (error) => {
      clearTimeout(timer);
      const failure = error instanceof Error ? error : new Error(String(error));
      reject(new PathsError(`the path manager failed: ${failure.message}`));
      onCrash(failure);
    });
  });
}
