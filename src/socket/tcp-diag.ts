// Asks the kernel after single TCP sockets by netlink (sock_diag; CONFIG_INET_DIAG).

import { networkInterfaces } from 'node:os';
import { close } from '../ffi/descriptors.ts';
import { interfaceIndex } from '../ffi/interfaces.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';
import { recv, send, socket } from '../ffi/sockets.ts';
import type { Endpoint } from '../wire/destination.ts';
import { canonicalIp } from '../wire/ip.ts';
import { ProtocolError } from '../wire/protocol-error.ts';
import { type DiagAnswer, encodeTcpLookup, parseDiagAnswer } from '../wire/sock-diag.ts';
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK } from './constants.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_SOCK_DIAG = 4;
const ENOENT = 2;
const EMFILE = 24;
const ENFILE = 23;

/** Answers to earlier questions that may still be queued; one socket never has more under way than one. */
const STALE_ANSWERS_MAX = 4;
/** LOOPBACK_IFINDEX, in every network namespace. It has 127.0.0.0/8, but lists one address of that. */
const LOOPBACK_INDEX = 1;
/** Addresses and interfaces are looked up again after this time at the earliest. */
const INTERFACES_MS = 10_000;

/** Owns a netlink socket, opened with the first question. One for each thread that asks. */
export class TcpDiagnostics {
  #fd = -1;
  #unavailable = false;
  #sequence = 0;
  readonly #request = new NativeBuffer(128);
  /** One answer is some 500 bytes; what is longer is cut, and then malformed. */
  readonly #answer = new NativeBuffer(4096);
  /** Bounded by the machine's own addresses. */
  #interfaces = new Map<string, number>();
  #interfacesAt = -Infinity;

  /** The kernel has no such sockets for us. It stays so. */
  get unavailable(): boolean {
    return this.#unavailable;
  }

  /** Whether it can be asked now; there may be no descriptor to spare. */
  open(): boolean {
    if (this.#fd >= 0) return true;
    if (this.#unavailable) return false;
    const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    this.#unavailable = fd < 0 && fd !== -EMFILE && fd !== -ENFILE;
    this.#fd = fd;
    return fd >= 0;
  }

  /** One question and one answer, without waiting: some 5 µs. `undefined`: there is no answer. */
  ask(local: Endpoint, remote: Endpoint): DiagAnswer | undefined {
    if (!this.open()) return undefined;
    const answer = this.#askFor(local, remote, 0);
    if (answer?.kind !== 'refused' || answer.errno !== ENOENT) return answer;
    // A socket bound to an interface (SO_BINDTODEVICE; a subflow by its endpoint's `dev`) is only found by it.
    const index = this.#interfaceOf(local.address);
    return index === undefined ? answer : this.#askFor(local, remote, index);
  }

  /** The next question opens it again. */
  close(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }

  #askFor(local: Endpoint, remote: Endpoint, interfaceIndex: number): DiagAnswer | undefined {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const sequence = this.#sequence;
    const question = encodeTcpLookup({ local, remote, interfaceIndex, sequence });
    this.#request.bytes.set(question);
    if (send(this.#fd, this.#request, 0, question.length, MSG_DONTWAIT) < 0) return undefined;
    // The kernel answers within send, so there is nothing to wait for.
    for (let i = 0; i <= STALE_ANSWERS_MAX; i++) {
      const got = recv(this.#fd, this.#answer, 0, this.#answer.size, MSG_DONTWAIT);
      if (got < 0) return undefined;
      const answer = parse(this.#answer.bytes.subarray(0, got));
      if (answer?.sequence === sequence) return answer;
    }
    return undefined;
  }

  #interfaceOf(address: string): number | undefined {
    const now = performance.now();
    if (now - this.#interfacesAt > INTERFACES_MS) {
      this.#interfacesAt = now;
      this.#interfaces = listInterfaces();
    }
    return this.#interfaces.get(address) ?? (address.startsWith('127.') ? LOOPBACK_INDEX : undefined);
  }
}

function listInterfaces(): Map<string, number> {
  const indexes = new Map<string, number>();
  try {
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      const index = interfaceIndex(name);
      if (index > 0) for (const { address } of addresses ?? []) indexes.set(canonicalIp(address) ?? address, index);
    }
  } catch {
    // Short of descriptors. Such sockets are not found for now.
  }
  return indexes;
}

function parse(bytes: Uint8Array): DiagAnswer | undefined {
  try {
    return parseDiagAnswer(bytes)?.value;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
