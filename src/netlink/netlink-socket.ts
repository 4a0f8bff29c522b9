// One netlink socket for questions and changes. The kernel works on a request within the call that sends it, so asking
// takes microseconds and no waiting, on whatever thread. Notifications come on a socket of their own
// (notifications.ts): a flood of them must not push an answer out of the buffer.

import { close } from '../ffi/descriptors.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';
import { PollSet } from '../ffi/poll.ts';
import { bind, recv, send, setsockopt, socket } from '../ffi/sockets.ts';
import { NLMSG_ERROR, parseNetlinkMessage } from '../wire/netlink.ts';
import { type NetlinkAck, NLMSG_DONE, parseNetlinkAck } from '../wire/netlink-ack.ts';
import { inNamespace } from './namespace.ts';
import { NetlinkError } from './netlink-error.ts';

export const NetlinkProtocol = { route: 0, sockDiag: 4, generic: 16 } as const;
export type NetlinkProtocol = (typeof NetlinkProtocol)[keyof typeof NetlinkProtocol];

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;

const NLM_F_DUMP_INTR = 0x10;

const EAGAIN = 11;
const EINTR = 4;
const ETIMEDOUT = 110;
const EMSGSIZE = 90;

/** What the kernel fills in one go at the most (netlink_recvmsg in net/netlink/af_netlink.c). */
const RECEIVE_BYTES = 32_768;
const SEND_BYTES = 1_024;
/** The answer is there when `send` returns; this only ends a wait that should never be. */
const ANSWER_US_MAX = 1_000_000;
/** Answers to earlier requests that were given up. */
const STALE_MAX = 1_000;
/** Something changed while the kernel listed: it says so, and one begins anew. */
const INTERRUPTED_MAX = 8;

interface Outcome extends NetlinkAck {
  readonly interrupted: boolean;
}

export type OnMessage = (type: number, payload: Uint8Array) => void;

/** Opens a non-blocking netlink socket in a namespace. Throws a LinuxError or a NetlinkError. */
export function openNetlinkDescriptor(protocol: NetlinkProtocol, namespace: string | undefined): number {
  const fd = inNamespace(namespace, () => socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, protocol));
  if (fd < 0) throw new NetlinkError(-fd, `opening a netlink socket of protocol ${protocol}`);
  // struct sockaddr_nl: u16 family, padding, u32 port, u32 groups. Without a port of its own, chosen by the kernel, a
  // socket is taken for the kernel's and gets no notifications (do_one_broadcast in net/netlink/af_netlink.c).
  const address = new NativeBuffer(12);
  address.view.setUint16(0, AF_NETLINK, true);
  const status = bind(fd, address, 12);
  if (status >= 0) return fd;
  close(fd);
  throw new NetlinkError(-status, `binding a netlink socket of protocol ${protocol}`);
}

/** Owns its descriptor. */
export class NetlinkSocket {
  readonly #fd: number;
  readonly #receiving = new NativeBuffer(RECEIVE_BYTES);
  readonly #sending = new NativeBuffer(SEND_BYTES);
  readonly #poll: PollSet;
  #sequence = 0;

  /** `namespace`: path of a network namespace; the thread's own unless given. Throws a LinuxError or a NetlinkError. */
  constructor(protocol: NetlinkProtocol, namespace?: string) {
    this.#fd = openNetlinkDescriptor(protocol, namespace);
    this.#poll = new PollSet([this.#fd]);
    // Acknowledgements without a copy of the request, and with reasons; kernels before 4.3 and 4.12 lack the options.
    const on = new NativeBuffer(4);
    on.view.setUint32(0, 1, true);
    setsockopt(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, on, 4);
    setsockopt(this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, on, 4);
  }

  /**
   * Sends what `encode` made and hands every message of the answer to `onMessage`, payload as a view that is good for
   * the call. Returns 0 or the errno with which the kernel refused.
   */
  request(encode: (sequence: number) => Uint8Array, onMessage: OnMessage = () => undefined): number {
    return this.#ask(encode, onMessage).errno;
  }

  /**
   * A list of everything at one moment: when the kernel says that it changed meanwhile, `onBegin` is called again and
   * the list starts over.
   */
  dump(encode: (sequence: number) => Uint8Array, onBegin: () => void, onMessage: OnMessage): NetlinkAck {
    for (let i = 0; ; i++) {
      onBegin();
      const { interrupted, ...ack } = this.#ask(encode, onMessage);
      if (ack.errno !== 0 || !interrupted) return ack;
      // It never stands still: what was listed last is near enough, and notifications tell the rest.
      if (i >= INTERRUPTED_MAX) return ack;
    }
  }

  /** As `request`; throws a NetlinkError that says `what` was refused. */
  change(what: string, encode: (sequence: number) => Uint8Array): void {
    const refusal = this.attempt(() => what, encode);
    if (refusal !== undefined) throw refusal;
  }

  /** As `change`; returns the NetlinkError, for whoever can do something else then. */
  attempt(what: () => string, encode: (sequence: number) => Uint8Array): NetlinkError | undefined {
    const { errno, reason } = this.#ask(encode, () => undefined);
    return errno === 0 ? undefined : new NetlinkError(errno, what(), reason);
  }

  close(): void {
    close(this.#fd);
  }

  #nextSequence(): number {
    // 0 is what notifications carry.
    this.#sequence = this.#sequence >= 0xffff_ffff ? 1 : this.#sequence + 1;
    return this.#sequence;
  }

  #ask(encode: (sequence: number) => Uint8Array, onMessage: OnMessage): Outcome {
    const sequence = this.#nextSequence();
    const bytes = encode(sequence);
    if (bytes.length > SEND_BYTES) return { ...failed(EMSGSIZE), interrupted: false };
    this.#sending.bytes.set(bytes);
    const sent = send(this.#fd, this.#sending, 0, bytes.length, MSG_DONTWAIT);
    return sent < 0 ? { ...failed(-sent), interrupted: false } : this.#read(sequence, onMessage);
  }

  #read(sequence: number, onMessage: OnMessage): Outcome {
    let interrupted = false;
    for (let stale = 0; stale < STALE_MAX; ) {
      const got = recv(this.#fd, this.#receiving, 0, RECEIVE_BYTES, MSG_DONTWAIT | MSG_TRUNC);
      if (got === -EAGAIN) {
        if (this.#poll.wait(ANSWER_US_MAX) > 0) continue;
        return { ...failed(ETIMEDOUT), interrupted };
      }
      if (got === -EINTR) continue;
      if (got < 0) return { ...failed(-got), interrupted };
      if (got > RECEIVE_BYTES) return { ...failed(EMSGSIZE), interrupted };
      const bytes = this.#receiving.bytes.subarray(0, got);
      for (let at = 0; at < got; ) {
        const parsed = parseNetlinkMessage(bytes, at);
        if (parsed === undefined) break;
        const { type, flags, payload } = parsed.value;
        at += (parsed.bytesRead + 3) & ~3;
        if (parsed.value.sequence !== sequence) {
          stale++;
          continue;
        }
        if ((flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (type === NLMSG_ERROR || type === NLMSG_DONE) {
          return { ...parseNetlinkAck(type, flags, payload), interrupted };
        }
        onMessage(type, payload);
      }
    }
    return { ...failed(ETIMEDOUT), interrupted };
  }
}

/** Without a word of the kernel's. */
function failed(errno: number): NetlinkAck {
  return { errno, reason: undefined };
}
