// The path manager as the main thread sees it.

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { PathsConfig } from '../config/config.ts';
import { Mailbox } from '../dataplane/mailbox.ts';
import type { PathState } from '../routing/path-choice.ts';
import { BudgetFile } from './budget-file.ts';
import { holdPaths } from './hold.ts';
import type { Answer, Question } from './manager-desk.ts';
import type { FromManager, ManagerThreadData, ToManager } from './manager-thread.ts';
import type { PathSettings } from './preferences.ts';
import type { Survey } from './survey.ts';

export interface ManagedPathsOptions {
  readonly paths: PathsConfig;
  /** File where the use of budgets is kept. Its directory exists. */
  readonly budgetFile: string;
  /** See ManagerEvents. */
  readonly say: (level: 'info' | 'warn', code: string, message: string) => void;
  /** What connections may know of the paths: at the beginning, and whenever it is something else. */
  readonly onPaths?: (paths: readonly PathState[]) => void;
  /** The thread has died; what it set up is still there. */
  readonly onCrash: (error: Error) => void;
  /** Path of a network namespace; the process's own unless given. */
  readonly namespace?: string;
}

/** The paths cannot be managed: no MPTCP, no right to, or somebody does already. Or a question was refused. */
export class PathsError extends Error {
  readonly code = 'PATHS_REFUSED';
}

const START_MS_MAX = 10_000;
const STOP_MS_MAX = 5_000;
const ANSWER_MS_MAX = 5_000;
/** Questions under way; who asks more is refused. */
const ASKED_MAX = 64;

interface Asked {
  readonly settle: (answer: Answer) => void;
  readonly timer: NodeJS.Timeout;
}

export class ManagedPaths {
  readonly #worker: Worker;
  readonly #mailbox: Mailbox<ToManager>;
  readonly #ended: Promise<void>;
  /** By id. Bounded by ASKED_MAX. */
  readonly #asked = new Map<number, Asked>();
  #nextId = 1;

  /** `ended` resolves when the thread is gone and what it wanted kept is written. */
  constructor(worker: Worker, mailbox: Mailbox<ToManager>, ended: Promise<void>) {
    this.#worker = worker;
    this.#mailbox = mailbox;
    this.#ended = ended;
    worker.on('message', (message: FromManager) => {
      if (message.kind === 'answered') this.#settle(message.id, message.answer);
    });
    worker.once('exit', () => {
      for (const id of [...this.#asked.keys()]) this.#settle(id, { refusal: 'the path manager has ended' });
    });
  }

  /** How things stand. Rejects with a PathsError. */
  survey(): Promise<Survey> {
    return this.#ask({ kind: 'status' });
  }

  /** Connections follow at once. Holds until `configure` or the end. Rejects with a PathsError for an unknown name. */
  set(name: string, settings: PathSettings): Promise<Survey> {
    return this.#ask({ kind: 'set', name, settings });
  }

  /** What was set is forgotten. Rejects with a PathsError. */
  configure(paths: PathsConfig): Promise<Survey> {
    return this.#ask({ kind: 'configure', paths });
  }

  /** For `WishMessage`s, from a thread that opens connections; read before each connection's subflows are thought over. */
  openWishes(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#mailbox.post({ kind: 'wishes', port: port1 }, [port1]);
    return port2;
  }

  /** There are new wishes for connections that stand already. */
  hearWishes(): void {
    this.#mailbox.post({ kind: 'hear' });
  }

  /** Takes everything back. Resolves when that is done. */
  async close(): Promise<void> {
    this.#mailbox.post({ kind: 'stop' });
    const timer = setTimeout(() => void this.#worker.terminate(), STOP_MS_MAX);
    await this.#ended;
    clearTimeout(timer);
  }

  async #ask(question: Question): Promise<Survey> {
    if (this.#asked.size >= ASKED_MAX) throw new PathsError('the path manager is asked too much at once');
    const id = this.#nextId++;
    const answer = await new Promise<Answer>((settle) => {
      const late = { refusal: `the path manager did not answer within ${ANSWER_MS_MAX / 1_000} s` };
      this.#asked.set(id, { settle, timer: setTimeout(() => this.#settle(id, late), ANSWER_MS_MAX) });
      this.#mailbox.post({ kind: 'ask', id, question });
    });
    if ('refusal' in answer) throw new PathsError(answer.refusal);
    return answer.survey;
  }

  #settle(id: number, answer: Answer): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    clearTimeout(asked.timer);
    asked.settle(answer);
  }
}

/** Resolves once every path is set up. Rejects with a PathsError. */
export async function managePaths(options: ManagedPathsOptions): Promise<ManagedPaths> {
  const { paths, budgetFile, say, namespace } = options;
  const release = namespace === undefined ? await holdPaths() : () => undefined;
  if (release === undefined) {
    throw new PathsError('another anabranch manages the paths of this machine: end that one first');
  }
  const kept = new BudgetFile(budgetFile, { warn: (message) => say('warn', 'budget', message) });
  const data: ManagerThreadData = { namespace, paths, budgets: await kept.read() };
  try {
    return await startThread(data, kept, release, options);
  } catch (error) {
    release();
    throw error;
  }
}

function startThread(
  data: ManagerThreadData,
  kept: BudgetFile,
  release: () => void,
  { say, onPaths, onCrash }: ManagedPathsOptions,
): Promise<ManagedPaths> {
  const worker = new Worker(new URL('./manager-thread.js', import.meta.url), {
    name: 'paths',
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  let mailbox: Mailbox<ToManager> | undefined;
  let written = Promise.resolve();
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      mailbox?.close();
      release();
      void written.then(resolve);
    });
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new PathsError('the path manager did not start')), START_MS_MAX);
    worker.on('message', (message: FromManager) => {
      switch (message.kind) {
        case 'said':
          return say(message.level, message.code, message.message);
        case 'paths':
          return onPaths?.(message.paths);
        case 'budgets':
          written = kept.write(message.records);
          return;
        case 'refused':
          clearTimeout(timer);
          return reject(new PathsError(message.message));
        case 'ready':
          clearTimeout(timer);
          mailbox = new Mailbox<ToManager>(worker, message.wakeFd);
          return resolve(new ManagedPaths(worker, mailbox, ended));
        default:
          return;
      }
    });
    worker.on('error', (error) => {
      clearTimeout(timer);
      const failure = error instanceof Error ? error : new Error(String(error));
      reject(new PathsError(`the path manager failed: ${failure.message}`));
      onCrash(failure);
    });
  });
}
