// The client's side of HTTP CONNECT (RFC 9110 §9.3.6): a tunnel through a proxy.

import { encodeBasicCredentials } from '../wire/basic-auth.ts';
import { formatHostPort } from '../wire/destination.ts';
import { fieldValues, type HttpResponseHead, parseResponseHead } from '../wire/http-head.ts';
import { HttpHeadScanner } from '../wire/http-head-scanner.ts';
import { ProtocolError } from '../wire/protocol-error.ts';
import { HeldBytes } from './held-bytes.ts';
import { failureOfResponse } from './http-failure.ts';
import type { OutboundEffect, OutboundHandshake, OutboundHandshakeOptions } from './outbound.ts';

/** Interim responses (RFC 9110 §15.2) in front of the one that counts. */
const INTERIM_COUNT_MAX = 8;

const encoder = new TextEncoder();

/**
 * `optimistic` needs nothing from this machine: the request is one flight as it is, and the client's bytes may follow
 * it. When the proxy does not connect, it takes them for a request and closes: RFC 9110 §9.3.6 warns of that.
 */
export function createHttpClient(options: OutboundHandshakeOptions): OutboundHandshake {
  return new HttpClient(options);
}

class HttpClient implements OutboundHandshake {
  readonly #options: OutboundHandshakeOptions;
  /** The beginning of a head; the scanner bounds it to 32 KiB. */
  readonly #held = new HeldBytes();
  #scanner = new HttpHeadScanner();
  #interimCount = 0;
  #ended = false;

  constructor(options: OutboundHandshakeOptions) {
    this.#options = options;
  }

  start(): OutboundEffect[] {
    const { destination, credentials } = this.#options;
    const authority = formatHostPort(destination.host, destination.port);
    let head = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n`;
    try {
      if (credentials) head += `Proxy-Authorization: ${encodeBasicCredentials(credentials)}\r\n`;
    } catch (error) {
      this.#ended = true;
      return [{ kind: 'failed', failure: 'upstream-failed', detail: (error as RangeError).message }];
    }
    return [{ kind: 'send', bytes: encoder.encode(`${head}\r\n`) }];
  }

  onBytes(bytes: Uint8Array): OutboundEffect[] {
    if (this.#ended) return [];
    const effect = this.#read(this.#held.join(bytes));
    if (effect === undefined) return [];
    this.#ended = true;
    this.#held.take();
    return [effect];
  }

  /** The effect that ends the handshake, or `undefined` when more must come. */
  #read(input: Uint8Array): OutboundEffect | undefined {
    let start = 0;
    try {
      for (;;) {
        const length = this.#scanner.scan(input.subarray(start));
        if (length === undefined) break;
        const head = parseResponseHead(input.subarray(start, start + length));
        start += length;
        const effect = this.#onResponse(head, input, start);
        if (effect !== undefined) return effect;
        this.#scanner = new HttpHeadScanner();
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { kind: 'failed', failure: 'upstream-failed', detail: error.message };
    }
    this.#held.keep(input, start);
    return undefined;
  }

  #onResponse(head: HttpResponseHead, input: Uint8Array, end: number): OutboundEffect | undefined {
    const { status } = head;
    if (status >= 200 && status < 300) return { kind: 'established', early: new Uint8Array(input.subarray(end)) };
    if (status < 200 && status !== 101 && ++this.#interimCount <= INTERIM_COUNT_MAX) return undefined;
    const proxyStatus = fieldValues(head.fields, 'proxy-status').join(', ');
    const failure = failureOfResponse(status, proxyStatus === '' ? undefined : proxyStatus);
    return { kind: 'failed', failure, detail: `the HTTP proxy answered ${status}` };
  }
}
