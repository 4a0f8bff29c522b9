// The server's side of SOCKS 4, 4A and 5 (RFC 1928, RFC 1929), CONNECT only. Clients may send everything at once,
// without waiting for our answers; what lies behind the request is theirs to the destination.

import type { Destination, Endpoint } from '../wire/destination.ts';
import { ProtocolError } from '../wire/protocol-error.ts';
import * as socks4 from '../wire/socks4.ts';
import * as socks5 from '../wire/socks5.ts';
import { encodeAuthReply, parseAuthRequest, Socks5AuthStatus } from '../wire/socks5-auth.ts';
import { HELD_BYTES_MAX, HeldBytes } from './held-bytes.ts';
import type {
  ConnectFailure,
  HandshakeEnd,
  InboundEffect,
  InboundHandshake,
  InboundHandshakeOptions,
} from './inbound.ts';

const { Socks4ReplyCode } = socks4;
const { Socks5Method, Socks5ReplyCode } = socks5;

/**
 * ConnectFailure → REP (RFC 1928 §6). The RFC has no code for time or for names: "TTL expired" is what Dante, microsocks
 * and others say for a time-out; a name that cannot be resolved is a general failure, so that a client can tell it from
 * an unreachable host. What is our own fault, or a proxy's on the way, is a general failure too.
 */
const REPLY_CODES: Readonly<Record<ConnectFailure, number>> = {
  refused: Socks5ReplyCode.connectionRefused,
  'host-unreachable': Socks5ReplyCode.hostUnreachable,
  'network-unreachable': Socks5ReplyCode.networkUnreachable,
  'timed-out': Socks5ReplyCode.ttlExpired,
  denied: Socks5ReplyCode.notAllowed,
  'name-not-found': Socks5ReplyCode.generalFailure,
  'name-failure': Socks5ReplyCode.generalFailure,
  'upstream-failed': Socks5ReplyCode.generalFailure,
  resources: Socks5ReplyCode.generalFailure,
  general: Socks5ReplyCode.generalFailure,
};

const NOTHING = new Uint8Array(0);
const UNBOUND: Endpoint = { address: '0.0.0.0', port: 0 };

type State =
  | 'version' // the first byte decides
  | 'socks4-request'
  | 'socks5-greeting'
  | 'socks5-auth'
  | 'authenticating' // for the caller to answer
  | 'socks5-request'
  | 'connecting' // for the caller to answer
  | 'done';

export function createSocksServer(options: InboundHandshakeOptions): InboundHandshake {
  return new SocksServer(options.authenticate);
}

class SocksServer implements InboundHandshake {
  readonly #authenticate: boolean;
  readonly #held = new HeldBytes();
  #state: State = 'version';
  #version = 0;

  constructor(authenticate: boolean) {
    this.#authenticate = authenticate;
  }

  onBytes(bytes: Uint8Array): InboundEffect[] {
    const effects: InboundEffect[] = [];
    if (this.#state !== 'done') this.#read(this.#held.join(bytes), effects);
    return effects;
  }

  onAuthenticated(ok: boolean): InboundEffect[] {
    if (!this.#isIn('authenticating')) return [];
    const effects: InboundEffect[] = [];
    if (ok) {
      effects.push(send(encodeAuthReply(Socks5AuthStatus.success)));
      this.#state = 'socks5-request';
      if (this.#held.length > 0) this.#read(this.#held.join(NOTHING), effects);
    } else {
      // RFC 1929 §2: the connection must be closed then.
      this.#close(effects, 'auth-failed', encodeAuthReply(Socks5AuthStatus.failure));
    }
    return effects;
  }

  onConnected(bound: Endpoint): InboundEffect[] {
    if (!this.#isIn('connecting')) return [];
    this.#state = 'done';
    const reply =
      this.#version === 4
        ? socks4.encodeReply(Socks4ReplyCode.granted, bound)
        : socks5.encodeReply(Socks5ReplyCode.succeeded, bound);
    return [send(reply), { kind: 'relay', early: this.#held.take() }];
  }

  onFailed(failure: ConnectFailure): InboundEffect[] {
    if (!this.#isIn('connecting')) return [];
    const effects: InboundEffect[] = [];
    this.#refuse(effects, 'connect-failed', REPLY_CODES[failure]);
    return effects;
  }

  /** False once the handshake is over; any other state is a fault of the caller. */
  #isIn(state: State): boolean {
    if (this.#state !== state && this.#state !== 'done')
      throw new Error(`SOCKS server is in ${this.#state}, not ${state}`);
    return this.#state === state;
  }

  #read(input: Uint8Array, effects: InboundEffect[]): void {
    let used = 0;
    try {
      for (let read = 1; read > 0; used += read) read = this.#step(input, used, effects);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#onProtocolError(error, effects);
    }
    if (this.#state === 'done') return;
    if (input.length - used > HELD_BYTES_MAX) {
      // What would have been asked in the same breath is not asked.
      dropQuestion(effects);
      return this.#close(effects, 'too-large');
    }
    this.#held.keep(input, used);
  }

  /** Handles the message at `offset`; returns its length, or 0 when there is nothing to be done before more comes. */
  #step(input: Uint8Array, offset: number, effects: InboundEffect[]): number {
    switch (this.#state) {
      case 'version':
        if (input.length > 0) this.#begin(input[0] as number, effects);
        // The version is a part of the first message.
        return this.#state === 'version' ? 0 : this.#step(input, offset, effects);
      case 'socks4-request': {
        const parsed = socks4.parseRequest(input, offset);
        if (parsed !== undefined) this.#onRequest4(parsed.value, effects);
        return parsed?.bytesRead ?? 0;
      }
      case 'socks5-greeting': {
        const parsed = socks5.parseGreeting(input, offset);
        if (parsed !== undefined) this.#onGreeting(parsed.value, effects);
        return parsed?.bytesRead ?? 0;
      }
      case 'socks5-auth': {
        const parsed = parseAuthRequest(input, offset);
        if (parsed === undefined) return 0;
        this.#state = 'authenticating';
        effects.push({ kind: 'authenticate', name: parsed.value.name, password: parsed.value.password });
        return parsed.bytesRead;
      }
      case 'socks5-request': {
        const parsed = socks5.parseRequest(input, offset);
        if (parsed === undefined) return 0;
        const { command, destination } = parsed.value;
        if (command === socks5.Socks5Command.connect) this.#connect(destination, effects);
        else this.#refuse(effects, 'unsupported', Socks5ReplyCode.commandNotSupported);
        return parsed.bytesRead;
      }
      case 'authenticating':
      case 'connecting':
      case 'done':
        return 0;
    }
  }

  #begin(version: number, effects: InboundEffect[]): void {
    this.#version = version;
    if (version === socks5.SOCKS5_VERSION) this.#state = 'socks5-greeting';
    else if (version === socks4.SOCKS4_VERSION) this.#state = 'socks4-request';
    else this.#close(effects, 'unsupported');
  }

  #onGreeting(methods: Uint8Array, effects: InboundEffect[]): void {
    const method = this.#authenticate ? Socks5Method.password : Socks5Method.none;
    if (!methods.includes(method)) {
      const reason = this.#authenticate ? 'auth-required' : 'unsupported';
      return this.#close(effects, reason, socks5.encodeMethodSelection(Socks5Method.unacceptable));
    }
    effects.push(send(socks5.encodeMethodSelection(method)));
    this.#state = this.#authenticate ? 'socks5-auth' : 'socks5-request';
  }

  #onRequest4(request: socks4.Socks4Request, effects: InboundEffect[]): void {
    // SOCKS4 carries a name without a proof.
    if (this.#authenticate) {
      return this.#close(effects, 'auth-required', socks4.encodeReply(Socks4ReplyCode.identMismatch));
    }
    if (request.command === socks4.Socks4Command.connect) return this.#connect(request.destination, effects);
    this.#refuse(effects, 'unsupported', Socks5ReplyCode.commandNotSupported);
  }

  #connect(destination: Destination | undefined, effects: InboundEffect[]): void {
    if (destination === undefined) return this.#refuse(effects, 'bad-request', Socks5ReplyCode.generalFailure);
    this.#state = 'connecting';
    effects.push({ kind: 'connect', destination });
  }

  #onProtocolError(error: ProtocolError, effects: InboundEffect[]): void {
    if (error.code === 'too-large') return this.#refuse(effects, 'too-large', Socks5ReplyCode.generalFailure);
    if (this.#state === 'socks5-auth') {
      return this.#close(effects, 'bad-request', encodeAuthReply(Socks5AuthStatus.failure));
    }
    // The parsers know one thing they do not support: a type of address.
    const unsupported = error.code === 'unsupported';
    const code = unsupported ? Socks5ReplyCode.addressTypeNotSupported : Socks5ReplyCode.generalFailure;
    this.#refuse(effects, 'bad-request', code);
  }

  /** Answers a request; SOCKS4 has one code for all failures. */
  #refuse(effects: InboundEffect[], reason: HandshakeEnd, code: number): void {
    const reply =
      this.#version === 4 ? socks4.encodeReply(Socks4ReplyCode.rejected) : socks5.encodeReply(code, UNBOUND);
    this.#close(effects, reason, reply);
  }

  #close(effects: InboundEffect[], reason: HandshakeEnd, last?: Uint8Array): void {
    this.#state = 'done';
    this.#held.take();
    if (last !== undefined) effects.push(send(last));
    effects.push({ kind: 'close', reason });
  }
}

function dropQuestion(effects: InboundEffect[]): void {
  const last = effects.at(-1)?.kind;
  if (last === 'authenticate' || last === 'connect') effects.pop();
}

function send(bytes: Uint8Array): InboundEffect {
  return { kind: 'send', bytes };
}
