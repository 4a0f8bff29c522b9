// What a host's interfaces have counted, read from outside without starting a program each time.

import { readFileSync } from 'node:fs';
import { LabError, LabErrorCode } from '../lab-error.ts';

/** Bytes received by each interface of the network namespace that a process is in; Ethernet headers are counted. */
export function receivedBytes(pid: number): ReadonlyMap<string, number> {
  try {
    return parseReceivedBytes(readFileSync(`/proc/${pid}/net/dev`, 'utf8'));
  } catch {
    throw new LabError(LabErrorCode.command, `process ${pid}, whose interfaces were watched, is gone`);
  }
}

/** Lines such as `  eth0: 1234 5 0 …` after two of headings; the first number is bytes received (proc_pid_net(5)). */
export function parseReceivedBytes(text: string): ReadonlyMap<string, number> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const match = /^\s*([^\s:]+):\s*(\d+)/.exec(line);
      return match === null ? [] : [[match[1]!, Number(match[2])] as const];
    }),
  );
}
