// The listening sockets of all threads. A reload opens the new ones before it gives up any old one, so that a faulty
// configuration changes nothing.

import type { Config, InboundConfig, ListenAddress } from '../config/config.ts';
import { closeSocket } from '../socket/close.ts';
import { initialCongestion } from '../socket/congestion.ts';
import { expectFree, type Listener, openListener } from '../socket/listen.ts';
import { initialSendBuffer } from '../socket/send-buffer.ts';
import { type Endpoint, formatHostPort } from '../wire/destination.ts';
import type { ListenerHandle } from './messages.ts';

export interface ListenerChange {
  /** New listeners, one list a thread. */
  readonly opened: readonly (readonly ListenerHandle[])[];
  /** Keys that are no longer wanted. */
  readonly closing: readonly string[];
}

export interface BoundInbound {
  readonly inbound: string;
  readonly type: string;
  readonly local: Endpoint;
  readonly isMptcp: boolean;
}

export class Listeners {
  readonly #threads: number;
  /** What is open, by key. Bounded by the configuration. */
  #open = new Map<string, BoundInbound>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  get bound(): readonly BoundInbound[] {
    return [...this.#open.values()];
  }

  /**
   * Opens what `config` asks for and is not open yet. Throws a LinuxError and leaves everything as it was when one
   * address cannot be had. A port of 0 becomes the same port for all threads. An inbound that changed what its sockets
   * are made of gets new ones beside the old.
   */
  change(config: Config): ListenerChange {
    const opened: ListenerHandle[][] = Array.from({ length: this.#threads }, () => []);
    const next = new Map<string, BoundInbound>();
    try {
      for (const inbound of config.inbounds) {
        for (const address of inbound.listen) {
          const key = keyOf(inbound, address);
          next.set(key, this.#open.get(key) ?? this.#openAll(inbound, address, key, opened));
        }
      }
    } catch (error) {
      for (const handle of opened.flat()) closeSocket(handle.fd);
      throw error;
    }
    const closing = [...this.#open.keys()].filter((key) => !next.has(key));
    this.#open = next;
    return { opened, closing };
  }

  #openAll(inbound: InboundConfig, where: ListenAddress, key: string, opened: ListenerHandle[][]): BoundInbound {
    const isOurs = [...this.#open.values()].some(({ local }) => local.port === where.port);
    // Sharing a port is for our own sockets: a second program that is started by mistake must be told.
    if (!isOurs) expectFree(where.address, where.port);
    let first: Listener | undefined;
    for (const handles of opened) {
      const { congestion, sendBuffer, mark, keepalive, notsentLowat, userTimeout } = inbound.socket;
      const listener = openListener({
        address: where.address,
        port: first?.local.port ?? where.port,
        transport: inbound.transport,
        shared: true,
        fastOpen: inbound.socket.fastOpen,
        socket: {
          congestion: initialCongestion(congestion),
          sendBuffer: initialSendBuffer(sendBuffer),
          mark,
          keepalive,
          notsentLowat,
          userTimeout,
          interface: inbound.socket.interface,
        },
      });
      first ??= listener;
      handles.push({ fd: listener.fd, inbound: inbound.name, key, isMptcp: listener.isMptcp });
    }
    const { local, isMptcp } = first as Listener;
    return { inbound: inbound.name, type: inbound.type, local, isMptcp };
  }
}

/** Whatever cannot change on an open socket is part of its key. */
function keyOf(inbound: InboundConfig, { address, port }: ListenAddress): string {
  return `${inbound.name} ${formatHostPort(address, port)} ${inbound.transport} ${JSON.stringify(inbound.socket)}`;
}
