// Tells systemd how the service is, when it runs under systemd.

import { notifySystemd } from '../socket/systemd-notify.ts';

export interface Notifier {
  /** READY=1, RELOADING=1, STOPPING=1, STATUS=… */
  say(state: string): void;
  /** Pings the watchdog in time for as long as `isAlive` says so. */
  watch(isAlive: () => boolean): void;
  close(): void;
}

/** Reads NOTIFY_SOCKET and WATCHDOG_USEC (sd_notify(3), sd_watchdog_enabled(3)). */
export function createNotifier(): Notifier {
  const path = process.env.NOTIFY_SOCKET;
  const watchdogUs = Number(process.env.WATCHDOG_USEC ?? 0);
  const isOurs = process.env.WATCHDOG_PID === undefined || process.env.WATCHDOG_PID === String(process.pid);
  let timer: NodeJS.Timeout | undefined;
  const say = (state: string) => {
    if (path !== undefined) notifySystemd(path, state);
  };
  return {
    say,
    watch(isAlive) {
      if (path === undefined || !isOurs || !(watchdogUs > 0)) return;
      const ping = () => {
        if (isAlive()) say('WATCHDOG=1');
      };
      ping();
      timer = setInterval(ping, watchdogUs / 1000 / 2).unref();
    },
    close: () => clearInterval(timer),
  };
}
