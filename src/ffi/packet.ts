// packet(7) sockets, which see every frame of one network interface; batches of frames by recvmmsg and sendmmsg; and the
// interface's offloads, by the ioctls that ethtool uses.

import { close } from './descriptors.ts';
import { interfaceIndex } from './interfaces.ts';
import { declare, lastErrno } from './library.ts';
import { LinuxError, orThrow } from './linux-error.ts';
import { NativeBuffer } from './native-buffer.ts';
import { bind, setsockopt, socket } from './sockets.ts';

const c = {
  ioctl: declare('int ioctl(int fd, unsigned long request, uintptr_t argument)'),
  recvmmsg: declare('int recvmmsg(int fd, uintptr_t messages, unsigned int count, int flags, uintptr_t timeout)'),
  sendmmsg: declare('int sendmmsg(int fd, uintptr_t messages, unsigned int count, int flags)'),
};

const AF_INET = 2;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC_NONBLOCK = 0o2004000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
/** include/uapi/linux/if_packet.h */
const PACKET_QDISC_BYPASS = 20;
const PACKET_IGNORE_OUTGOING = 23;
const ETH_P_ALL = 0x0003;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;

/**
 * A non-blocking socket for all frames that arrive at `name` in the calling thread's namespace; what is sent on it leaves
 * there unchanged, past any queueing discipline. `receiveBytes` bounds what the kernel holds for it (counted with its
 * overhead per frame), and without root net.core.rmem_max does. Throws a LinuxError.
 */
export function openPacketSocket(name: string, receiveBytes: number): number {
  const index = orThrow(interfaceIndex(name), 'if_nametoindex', name);
  // Protocol 0: nothing is queued before the socket is bound to its interface.
  const fd = orThrow(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC_NONBLOCK, 0), 'socket', 'AF_PACKET');
  try {
    const value = new NativeBuffer(4);
    const set = (level: number, option: number, to: number, what: string): void => {
      value.view.setInt32(0, to, true);
      orThrow(setsockopt(fd, level, option, value, 4), 'setsockopt', `${what} on ${name}`);
    };
    set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, 'PACKET_IGNORE_OUTGOING');
    set(SOL_PACKET, PACKET_QDISC_BYPASS, 1, 'PACKET_QDISC_BYPASS');
    value.view.setInt32(0, receiveBytes, true);
    // Beyond net.core.rmem_max only root of the machine may go; root of a user namespace gets that much and no more.
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) < 0) set(SOL_SOCKET, SO_RCVBUF, receiveBytes, 'SO_RCVBUF');
    // struct sockaddr_ll: u16 family, be16 protocol, s32 index, then 12 bytes that bind ignores.
    const address = new NativeBuffer(20);
    address.view.setUint16(0, AF_PACKET, true);
    address.view.setUint16(2, ETH_P_ALL, false);
    address.view.setInt32(4, index, true);
    orThrow(bind(fd, address, 20), 'bind', `a packet socket to ${name}`);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** struct mmsghdr on 64-bit Linux: struct msghdr (56 bytes), u32 msg_len, padding. */
const MESSAGE_SIZE = 64;
const MESSAGE_IOV = 16;
const MESSAGE_IOV_COUNT = 24;
const MESSAGE_LENGTH = 56;
/** struct iovec: void *base, size_t length. */
const IOV_SIZE = 16;

/**
 * Up to `capacity` frames that go through the kernel in one call. Each message points at a piece of `memory`, which the
 * batch keeps alive. Nothing is allocated after construction.
 */
export class PacketBatch {
  readonly capacity: number;
  readonly #memory: NativeBuffer;
  readonly #messages: NativeBuffer;
  readonly #pieces: NativeBuffer;

  constructor(capacity: number, memory: NativeBuffer) {
    this.capacity = capacity;
    this.#memory = memory;
    this.#messages = new NativeBuffer(capacity * MESSAGE_SIZE);
    this.#pieces = new NativeBuffer(capacity * IOV_SIZE);
    for (let i = 0; i < capacity; i++) {
      const message = i * MESSAGE_SIZE;
      this.#messages.view.setBigUint64(message + MESSAGE_IOV, BigInt(this.#pieces.address + i * IOV_SIZE), true);
      this.#messages.view.setUint32(message + MESSAGE_IOV_COUNT, 1, true);
    }
  }

  /** Message `i` is the `length` bytes at `offset` of the memory. */
  place(i: number, offset: number, length: number): void {
    const view = this.#pieces.view;
    const address = this.#memory.address + offset;
    view.setUint32(i * IOV_SIZE, address >>> 0, true);
    view.setUint32(i * IOV_SIZE + 4, Math.floor(address / 2 ** 32), true);
    view.setUint32(i * IOV_SIZE + 8, this.#memory.clamp(offset, length), true);
  }

  /** Fills the first messages, `count` at most; returns how many, or −errno. */
  receive(fd: number, count: number): number {
    const limit = Math.min(count, this.capacity);
    const received = c.recvmmsg(fd, this.#messages.address, limit, MSG_DONTWAIT | MSG_TRUNC, 0);
    return received < 0 ? -lastErrno() : received;
  }

  /** Bytes of the i-th frame received, as it was on the wire: more than its place holds when it was cut. */
  lengthAt(i: number): number {
    return this.#messages.view.getUint32(i * MESSAGE_SIZE + MESSAGE_LENGTH, true);
  }

  /** Sends messages `from` to `to` − 1; returns how many went, or −errno when not even the first did. */
  send(fd: number, from: number, to: number): number {
    const address = this.#messages.address + from * MESSAGE_SIZE;
    const sent = c.sendmmsg(fd, address, Math.min(to, this.capacity) - from, MSG_DONTWAIT);
    return sent < 0 ? -lastErrno() : sent;
  }
}

/** include/uapi/linux/sockios.h, include/uapi/linux/ethtool.h */
const SIOCETHTOOL = 0x8946;
const Offload = {
  ETHTOOL_STXCSUM: 0x17,
  ETHTOOL_SSG: 0x19,
  ETHTOOL_STSO: 0x1f,
  ETHTOOL_SGSO: 0x24,
  ETHTOOL_SGRO: 0x2c,
} as const;
const EOPNOTSUPP = 95;
const EINVAL = 22;

/**
 * Makes the interface `name` of the calling thread's namespace send what a wire would carry: no frame larger than its
 * MTU, each with its checksums filled in. Throws a LinuxError.
 */
export function disableOffloads(name: string): void {
  const fd = orThrow(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC_NONBLOCK, 0), 'socket', 'AF_INET');
  try {
    // struct ethtool_value: u32 command, u32 data. struct ifreq: char name[16], then a pointer in a union of 24 bytes.
    const value = new NativeBuffer(8);
    const request = new NativeBuffer(40);
    request.bytes.set(new TextEncoder().encode(name.slice(0, 15)));
    request.view.setBigUint64(16, BigInt(value.address), true);
    for (const [what, command] of Object.entries(Offload)) {
      value.view.setUint32(0, command, true);
      value.view.setUint32(4, 0, true);
      if (c.ioctl(fd, SIOCETHTOOL, request.address) === 0) continue;
      const errno = lastErrno();
      // Scatter-gather goes off together with checksums, and not every kernel has each switch.
      if (errno !== EOPNOTSUPP && errno !== EINVAL) throw new LinuxError(errno, what, name);
    }
  } finally {
    close(fd);
  }
}
