// Takes labs down when the program ends in another way than through `close`: process.exit, an uncaught exception, ^C,
// SIGTERM, SIGHUP.

import { killCommands } from './commands.ts';

export interface GuardedLab {
  /** Neither may wait or throw. */
  stop: () => void;
  tearDown: () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Bounded by the labs that this program has open. */
const open = new Set<GuardedLab>();

export function guardLab(lab: GuardedLab): void {
  if (open.size === 0) {
    process.on('exit', onExit);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  open.add(lab);
}

export function unguardLab(lab: GuardedLab): void {
  if (!open.delete(lab) || open.size > 0) return;
  process.off('exit', onExit);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

function onExit(): void {
  killCommands();
  for (const lab of [...open]) {
    lab.stop();
    lab.tearDown();
    unguardLab(lab);
  }
}

function onSignal(signal: NodeJS.Signals): void {
  // Whoever else listens decides how the program ends, and closes its labs; alone, the lab does what the signal means.
  if (process.listenerCount(signal) > 1) return;
  onExit();
  process.kill(process.pid, signal);
}
