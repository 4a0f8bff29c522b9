// Does MPTCP get through to a server? Connects to it once, sends nothing, and looks at what became of the socket.

import { createResolver } from '../dataplane/resolver.ts';
import { orderAddresses } from '../routing/address-order.ts';
import { closeSocket } from '../socket/close.ts';
import { beginConnect } from '../socket/connect.ts';
import * as k from '../socket/constants.ts';
import { errnoName } from '../socket/errno.ts';
import { probeMptcp, staysMptcp } from '../socket/mptcp.ts';
import { getInt, takeError } from '../socket/options.ts';
import type { Destination } from '../wire/destination.ts';
import type { ProbeResult } from './facts.ts';

const RESOLVE_MS_MAX = 5000;
const CONNECT_MS_MAX = 5000;
const ADDRESSES_MAX = 4;
const LOOK_EVERY_MS = 10;
/** linux/tcp_states.h. */
const TCP_ESTABLISHED = 1;
/** A middlebox that drops SYNs with MPTCP options makes the kernel try without after two of them, about 3 s. */
const OPTIONS = {
  mptcp: true,
  sourceAddress: [],
  fastOpen: false,
  socket: { congestion: undefined, mark: undefined, interface: undefined, notsentLowat: undefined, keepalive: 0 },
} as const;

/** Tries the addresses one after the other until one answers. */
export async function probeHost({ host, port }: Destination): Promise<ProbeResult> {
  if (!probeMptcp().available) return { kind: 'failed', detail: 'there is no MPTCP to try with' };
  const resolver = createResolver({ now: () => performance.now(), timeoutMs: RESOLVE_MS_MAX });
  try {
    const { addresses } = await resolver.resolve(host);
    let result: ProbeResult = { kind: 'failed', detail: 'it has no address' };
    for (const address of orderAddresses(addresses).slice(0, ADDRESSES_MAX)) {
      result = await probeAddress(address, port);
      if (result.kind !== 'failed') break;
    }
    return result;
  } catch (error) {
    return { kind: 'failed', detail: error instanceof Error ? error.message : String(error) };
  } finally {
    resolver.close();
  }
}

async function probeAddress(address: string, port: number): Promise<ProbeResult> {
  const fd = beginConnect(address, port, OPTIONS);
  if (fd < 0) return { kind: 'failed', detail: errnoName(-fd) };
  try {
    const giveUpAt = performance.now() + CONNECT_MS_MAX;
    for (;;) {
      const errno = takeError(fd);
      if (errno !== 0) return { kind: 'failed', detail: errnoName(Math.abs(errno)) };
      // The first byte of struct tcp_info is the state, of the first subflow.
      if ((getInt(fd, k.SOL_TCP, k.TCP_INFO) & 0xff) === TCP_ESTABLISHED) break;
      if (performance.now() > giveUpAt) return { kind: 'failed', detail: `no answer within ${CONNECT_MS_MAX} ms` };
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    if (staysMptcp(fd)) return { kind: 'mptcp' };
    return { kind: 'tcp', detail: 'its answer to our SYN had no MPTCP option' };
  } finally {
    closeSocket(fd);
  }
}
