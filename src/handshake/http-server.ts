// The server's side of HTTP: CONNECT is answered here; a request for a whole address is handed over, with all its bytes,
// to the HTTP server proper, which asks for credentials itself.

import { parseBasicCredentials } from '../wire/basic-auth.ts';
import { type Destination, parseHostPort } from '../wire/destination.ts';
import { fieldValues, type HttpRequestHead, parseRequestHead } from '../wire/http-head.ts';
import { HttpHeadScanner } from '../wire/http-head-scanner.ts';
import { ProtocolError, type ProtocolErrorCode } from '../wire/protocol-error.ts';
import { HELD_BYTES_MAX, HeldBytes } from './held-bytes.ts';
import { HTTP_FAILURES, proxyStatusOf } from './http-failure.ts';
import { encodeEstablished, encodeRefusal } from './http-response.ts';
import type {
  ConnectFailure,
  HandshakeEnd,
  InboundEffect,
  InboundHandshake,
  InboundHandshakeOptions,
} from './inbound.ts';

/** RFC 7617 §2.1: without the charset some clients send Latin-1. */
const CHALLENGE = 'Proxy-Authenticate: Basic realm="anabranch", charset="UTF-8"';

interface Refusal {
  readonly status: number;
  readonly reason: HandshakeEnd;
}

const REFUSALS: Readonly<Record<ProtocolErrorCode, Refusal>> = {
  malformed: { status: 400, reason: 'bad-request' },
  'too-large': { status: 431, reason: 'too-large' },
  unsupported: { status: 505, reason: 'unsupported' },
};
const BAD_REQUEST = REFUSALS.malformed;

type State =
  | 'head'
  | 'authenticating' // for the caller to answer
  | 'connecting' // for the caller to answer
  | 'done';

export function createHttpServer(options: InboundHandshakeOptions): InboundHandshake {
  return new HttpServer(options.authenticate);
}

class HttpServer implements InboundHandshake {
  readonly #authenticate: boolean;
  readonly #scanner = new HttpHeadScanner();
  /** The beginning of the head; once that is read, the client's early data. */
  readonly #held = new HeldBytes();
  #state: State = 'head';
  #destination: Destination | undefined;

  constructor(authenticate: boolean) {
    this.#authenticate = authenticate;
  }

  onBytes(bytes: Uint8Array): InboundEffect[] {
    if (this.#state === 'done') return [];
    const input = this.#held.join(bytes);
    return this.#state === 'head' ? this.#readHead(input) : this.#hold(input, 0);
  }

  onAuthenticated(ok: boolean): InboundEffect[] {
    if (!this.#isIn('authenticating')) return [];
    if (ok) return [this.#connect()];
    const text = 'The name or the password is wrong.';
    return this.#refuse({ status: 407, reason: 'auth-failed' }, text, [CHALLENGE]);
  }

  onConnected(): InboundEffect[] {
    if (!this.#isIn('connecting')) return [];
    this.#state = 'done';
    return [
      { kind: 'send', bytes: encodeEstablished() },
      { kind: 'relay', early: this.#held.take() },
    ];
  }

  onFailed(failure: ConnectFailure): InboundEffect[] {
    if (!this.#isIn('connecting')) return [];
    const { status, text } = HTTP_FAILURES[failure];
    const bytes = encodeRefusal(status, failure, text, [`Proxy-Status: ${proxyStatusOf(failure)}`]);
    return this.#close('connect-failed', bytes);
  }

  /** False once the handshake is over; any other state is a fault of the caller. */
  #isIn(state: State): boolean {
    if (this.#state !== state && this.#state !== 'done')
      throw new Error(`HTTP server is in ${this.#state}, not ${state}`);
    return this.#state === state;
  }

  #readHead(input: Uint8Array): InboundEffect[] {
    try {
      const length = this.#scanner.scan(input);
      if (length === undefined) return this.#hold(input, 0);
      const head = parseRequestHead(input.subarray(0, length));
      if (head.form === 'authority') return this.#onConnect(head, input, length);
      if (head.form === 'absolute') return this.#handOver(input);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#refuse(REFUSALS[error.code], `${error.message}.`);
    }
    return this.#refuse(
      BAD_REQUEST,
      'This is a proxy: ask for a whole address, as in GET http://example.org/ HTTP/1.1.',
    );
  }

  #onConnect(head: HttpRequestHead, input: Uint8Array, length: number): InboundEffect[] {
    this.#destination = parseHostPort(head.target);
    if (this.#destination === undefined) return this.#refuse(BAD_REQUEST, 'CONNECT needs a usable host:port.');
    const effect = this.#authenticate ? this.#askForCredentials(head) : this.#connect();
    if (Array.isArray(effect)) return effect;
    const close = this.#hold(input, length);
    return close.length > 0 ? close : [effect];
  }

  /** The effect, or all effects of a refusal. */
  #askForCredentials(head: HttpRequestHead): InboundEffect | InboundEffect[] {
    const values = fieldValues(head.fields, 'proxy-authorization');
    // Two readers could check different ones.
    if (values.length > 1) return this.#refuse(BAD_REQUEST, 'More than one Proxy-Authorization.');
    const [value] = values;
    const credentials = value === undefined ? undefined : parseBasicCredentials(value);
    if (credentials === undefined) {
      const reason = value === undefined ? 'auth-required' : 'auth-failed';
      return this.#refuse({ status: 407, reason }, 'This proxy needs a name and a password.', [CHALLENGE]);
    }
    this.#state = 'authenticating';
    return { kind: 'authenticate', name: credentials.name, password: credentials.password };
  }

  #connect(): InboundEffect {
    this.#state = 'connecting';
    return { kind: 'connect', destination: this.#destination as Destination };
  }

  #handOver(input: Uint8Array): InboundEffect[] {
    this.#state = 'done';
    // A copy: `input` may be the caller's buffer, to be reused.
    return [{ kind: 'hand-over', read: new Uint8Array(input) }];
  }

  #hold(input: Uint8Array, used: number): InboundEffect[] {
    if (input.length - used > HELD_BYTES_MAX) return this.#close('too-large');
    this.#held.keep(input, used);
    return [];
  }

  #refuse(refusal: Refusal, text: string, fields: readonly string[] = []): InboundEffect[] {
    return this.#close(refusal.reason, encodeRefusal(refusal.status, refusal.reason, text, fields));
  }

  #close(reason: HandshakeEnd, last?: Uint8Array): InboundEffect[] {
    this.#state = 'done';
    this.#held.take();
    const close: InboundEffect = { kind: 'close', reason };
    return last === undefined ? [close] : [{ kind: 'send', bytes: last }, close];
  }
}
