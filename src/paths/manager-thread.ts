// The thread of the path manager. Entry point of the worker; it stays in its event loop until told to stop.

import { readFileSync, readlinkSync } from 'node:fs';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { PathsConfig } from '../config/config.ts';
import { EventLoop } from '../dataplane/event-loop.ts';
import { readMailbox } from '../dataplane/mailbox.ts';
import { Timer } from '../dataplane/timers.ts';
import { readInterfaceBytes } from '../netlink/interface-bytes.ts';
import type { PathState } from '../routing/path-choice.ts';
import { BudgetKeeper, type BudgetRecords } from './budget-keeper.ts';
import { Manager } from './manager.ts';
import { type Answer, answer, type Question } from './manager-desk.ts';
import { Preferences } from './preferences.ts';
import type { Policy } from './userspace/desired.ts';
import { userspaceOptions } from './userspace/mode.ts';

export interface ManagerThreadData {
  /** Path of the network namespace; the process's own unless given. */
  readonly namespace: string | undefined;
  readonly paths: PathsConfig;
  /** What was kept of budgets. */
  readonly budgets: BudgetRecords;
}

export type ToManager =
  | { readonly kind: 'stop' }
  /** Whoever holds the other end says what his connections are for; the port comes along. */
  | { readonly kind: 'wishes'; readonly port: MessagePort }
  /** There is something new in one of those ports. */
  | { readonly kind: 'hear' }
  /** Answered under the same id. */
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question };

export type FromManager =
  | { readonly kind: 'ready'; readonly wakeFd: number }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'answered'; readonly id: number; readonly answer: Answer }
  /** All of them, best first, whenever there may be news. */
  | { readonly kind: 'paths'; readonly paths: readonly PathState[] }
  /** To be kept over restarts. */
  | { readonly kind: 'budgets'; readonly records: BudgetRecords }
  | { readonly kind: 'said'; readonly level: 'info' | 'warn'; readonly code: string; readonly message: string };

/** What one connection is for. */
export interface WishMessage {
  readonly token: number;
  readonly policy: Policy;
}

/** At 1 Gbit/s 125 MB go by in this time. */
const BUDGETS_MS = 1_000;

const port = parentPort;
if (port !== null) {
  const post = (message: FromManager): void => port.postMessage(message);
  const { namespace, paths, budgets: records } = workerData as ManagerThreadData;
  const say = (level: 'info' | 'warn', code: string, message: string): void =>
    post({ kind: 'said', level, code, message });
  const budgets = new BudgetKeeper({
    records,
    machine: machineOf(namespace),
    readBytes: () => readInterfaceBytes(namespace),
    save: (kept) => post({ kind: 'budgets', records: kept }),
    say,
  });
  const preferences = new Preferences(paths, (path) => budgets.spentOf(path, new Date()));
  let manager: Manager | undefined;
  /** Bounded by the threads that open connections. */
  const wishPorts: MessagePort[] = [];
  const hear = (): void => {
    let hasNewGateways = false;
    for (const from of wishPorts) {
      readMailbox<WishMessage>(from, ({ token, policy }) => {
        if (manager?.userspace?.tell(token, policy) === true) hasNewGateways = true;
      });
    }
    if (hasNewGateways) manager?.refresh();
  };
  const loop = new EventLoop(() => {
    readMailbox<ToManager>(port, (message) => {
      if (message.kind === 'stop') return loop.stop();
      if (message.kind === 'hear') return hear();
      if (message.kind === 'wishes') return void wishPorts.push(message.port);
      if (manager === undefined) return;
      post({
        kind: 'answered',
        id: message.id,
        answer: answer(message.question, {
          manager,
          preferences,
          budgets,
          mode: manager.userspace === undefined ? 'kernel' : 'userspace',
        }),
      });
    });
  });
  try {
    manager = new Manager(
      loop,
      { say, onPaths: (states) => post({ kind: 'paths', paths: states }), onThink: hear },
      { namespace, preferences, userspace: userspaceOptions(paths) },
    );
  } catch (error) {
    post({ kind: 'refused', message: error instanceof Error ? error.message : String(error) });
  }
  if (manager !== undefined) {
    const managed = manager;
    const counter = new Timer({
      onTimer() {
        if (budgets.look(managed.paths, new Date(), performance.now())) managed.refresh();
        loop.arm(counter, performance.now() + BUDGETS_MS);
      },
    });
    loop.arm(counter, performance.now());
    post({ kind: 'ready', wakeFd: loop.wakeFd });
    loop.run();
    budgets.look(manager.paths, new Date(), performance.now());
    budgets.close();
    manager.close();
  }
}

/** What the counters of interfaces belong to: they begin anew with the machine, and each namespace has its own. */
function machineOf(namespace: string | undefined): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot} ${namespace ?? readlinkSync('/proc/self/ns/net')}`;
}
