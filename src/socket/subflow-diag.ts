// Asks the kernel what only socket diagnostics tell of a subflow (Linux ≥ 5.6 with CONFIG_INET_DIAG; CAP_NET_ADMIN):
// whether it is a backup.

import { networkInterfaces } from 'node:os';
import { close } from '../ffi/descriptors.ts';
import { interfaceIndex } from '../ffi/interfaces.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';
import { recv, send, socket } from '../ffi/sockets.ts';
import type { Endpoint } from '../wire/destination.ts';
import { canonicalIp } from '../wire/ip.ts';
import { ProtocolError } from '../wire/protocol-error.ts';
import {
  type DiagAnswer,
  encodeTcpLookup,
  parseDiagAnswer,
  type SubflowDiag,
  TCP_ESTABLISHED,
} from '../wire/sock-diag.ts';
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK } from './constants.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_SOCK_DIAG = 4;
const ENOENT = 2;
const EMFILE = 24;
const ENFILE = 23;

/** Answers to earlier questions that may still be queued; one socket never has more under way than one. */
const STALE_ANSWERS_MAX = 4;
/** Sockets not found in a row before we take it that this kernel does not answer at all. */
const MISSES_MAX = 64;
/** Addresses and interfaces are looked up again after this time at the earliest. */
const INTERFACES_MS = 10_000;

/** Owns a netlink socket, opened with the first question. One for each thread that asks. */
export class SubflowDiagnostics {
  #fd = -1;
  /** The kernel does not answer, or may not tell us. It stays so: rights are dropped, not gained. */
  #useless = false;
  #everFound = false;
  #misses = 0;
  #sequence = 0;
  readonly #request = new NativeBuffer(128);
  /** One answer is some 500 bytes; what is longer is cut, and then malformed. */
  readonly #answer = new NativeBuffer(4096);
  /** Bounded by the machine's own addresses. */
  #interfaces = new Map<string, number>();
  #interfacesAt = -Infinity;

  /** One question and one answer, some 5 µs. `undefined`: the subflow is gone, or we may not know. */
  look(local: Endpoint, remote: Endpoint): SubflowDiag | undefined {
    if (this.#useless || !this.#open()) return undefined;
    let answer = this.#ask(local, remote, 0);
    if (answer?.kind === 'refused' && answer.errno === ENOENT) {
      // A subflow bound to an interface (an endpoint with `dev`, SO_BINDTODEVICE) is only found by it.
      const index = this.#interfaceOf(local.address);
      if (index !== undefined) answer = this.#ask(local, remote, index);
    }
    if (answer?.kind !== 'socket') {
      this.#misses++;
      this.#useless = !this.#everFound && this.#misses >= MISSES_MAX;
      if (this.#useless) this.close();
      return undefined;
    }
    this.#everFound = true;
    // A socket that is closing has lost its MPTCP part; one that stands and shows none keeps it from us.
    if (answer.subflow === undefined && answer.state === TCP_ESTABLISHED) {
      this.#useless = true;
      this.close();
    }
    return answer.subflow;
  }

  /** The next question opens it again. */
  close(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }

  #open(): boolean {
    if (this.#fd >= 0) return true;
    const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    if (fd < 0 && fd !== -EMFILE && fd !== -ENFILE) this.#useless = true;
    this.#fd = fd;
    return fd >= 0;
  }

  #ask(local: Endpoint, remote: Endpoint, index: number): DiagAnswer | undefined {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const sequence = this.#sequence;
    const question = encodeTcpLookup({ local, remote, interfaceIndex: index, sequence });
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
    return this.#interfaces.get(address);
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
    // Short of descriptors. The flag stays unknown for now.
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
