// How soon the kernel runs the calling thread, and no other.

import { declare, lastErrno } from './library.ts';
import { NativeBuffer } from './native-buffer.ts';

const c = {
  prctl: declare('int prctl(int option, unsigned long value, unsigned long a, unsigned long b, unsigned long c)'),
  sched_setscheduler: declare('int sched_setscheduler(int pid, int policy, uintptr_t parameters)'),
};

/** include/uapi/linux/prctl.h, include/uapi/linux/sched.h */
const PR_SET_TIMERSLACK = 29;
const SCHED_RR = 2;
const SCHED_RESET_ON_FORK = 0x40000000;

/** How much later than asked the kernel may wake the thread (50 µs unless told), in nanoseconds ≥ 1. */
export function setTimerSlack(nanoseconds: number): void {
  c.prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
}

/**
 * Lets the thread run before all ordinary ones, up to the kernel's limit (net of sched_rt_runtime_us). Children do not
 * inherit it. Returns 0 or −errno (EPERM without CAP_SYS_NICE or RLIMIT_RTPRIO).
 */
export function runInRealTime(): number {
  const priority = new NativeBuffer(4);
  priority.view.setInt32(0, 1, true);
  return c.sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, priority.address) < 0 ? -lastErrno() : 0;
}
