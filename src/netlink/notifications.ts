// Netlink notifications: a socket that is a member of groups. Its descriptor is for an event loop to watch.
//
// The kernel holds what was not read yet in a buffer of bounded size. When it runs over, notifications are lost and the
// next read says ENOBUFS: whoever keeps a picture of the network must then ask for all of it anew.

import { close } from '../ffi/descriptors.ts';
import { EPOLLIN } from '../ffi/epoll.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';
import { recv, setsockopt } from '../ffi/sockets.ts';
import { parseNetlinkMessage } from '../wire/netlink.ts';
import { ProtocolError } from '../wire/protocol-error.ts';
import { NetlinkError } from './netlink-error.ts';
import { type NetlinkProtocol, type OnMessage, openNetlinkDescriptor } from './netlink-socket.ts';

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const EINTR = 4;

/** A link with many virtual functions is some 20 kB. */
const RECEIVE_BYTES = 65_536;
/** In the kernel, counted with its overhead of some 1 kB a message: room for about a thousand. */
const KERNEL_BYTES = 2 << 20;
/** Datagrams of one turn, so that a flood cannot keep the thread. */
const DATAGRAMS_PER_TURN = 4_096;

export interface NotificationOptions {
  readonly groups: readonly number[];
  readonly namespace?: string | undefined;
  /** Of the kernel's buffer, 2 MiB unless given; without CAP_NET_ADMIN net.core.rmem_max bounds it. */
  readonly kernelBytes?: number;
}

export class Notifications {
  readonly fd: number;
  /** What an event loop watches the descriptor for. */
  readonly events = EPOLLIN;
  readonly #receiving = new NativeBuffer(RECEIVE_BYTES);

  /** Throws a LinuxError or a NetlinkError. */
  constructor(protocol: NetlinkProtocol, { groups, namespace, kernelBytes = KERNEL_BYTES }: NotificationOptions) {
    this.fd = openNetlinkDescriptor(protocol, namespace);
    const value = new NativeBuffer(4);
    value.view.setUint32(0, kernelBytes, true);
    if (setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) < 0) {
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, value, 4);
    }
    for (const group of groups) {
      value.view.setUint32(0, group, true);
      const status = setsockopt(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, value, 4);
      if (status >= 0) continue;
      close(this.fd);
      throw new NetlinkError(-status, `joining group ${group} of netlink protocol ${protocol}`);
    }
  }

  /**
   * Hands over what has come, payload as a view that is good for the call. `lost`: some of it is missing, so ask for
   * everything; `more`: come again, for there may be more.
   */
  read(onMessage: OnMessage): 'read' | 'more' | 'lost' {
    let lost = false;
    for (let i = 0; i < DATAGRAMS_PER_TURN; i++) {
      const got = recv(this.fd, this.#receiving, 0, RECEIVE_BYTES, MSG_DONTWAIT | MSG_TRUNC);
      if (got === -EINTR) continue;
      if (got < 0) {
        // After an overflow the kernel takes nothing in until all it held is read, so go on to the end.
        if (got === -ENOBUFS) {
          lost = true;
          continue;
        }
        return lost ? 'lost' : 'read';
      }
      if (got > RECEIVE_BYTES) lost = true;
      else if (!handOver(this.#receiving.bytes.subarray(0, got), onMessage)) lost = true;
    }
    return lost ? 'lost' : 'more';
  }

  close(): void {
    close(this.fd);
  }
}

const ENOBUFS = 105;

/** False for what cannot be read: then something is missing. */
function handOver(bytes: Uint8Array, onMessage: OnMessage): boolean {
  try {
    for (let at = 0; at < bytes.length; ) {
      const parsed = parseNetlinkMessage(bytes, at);
      if (parsed === undefined) return false;
      onMessage(parsed.value.type, parsed.value.payload);
      at += (parsed.bytesRead + 3) & ~3;
    }
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
