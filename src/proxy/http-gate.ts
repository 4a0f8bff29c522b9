// Between the data plane and the HTTP forwarder: hands clients over by descriptor, and gets the forwarder its upstream
// connections through the data plane, so that they take the same routes and leave the same records as any other.

import { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import { closeSocket } from '../socket/close.ts';
import { openSocketPair } from '../socket/pair.ts';
import type { Endpoint } from '../wire/destination.ts';
import type { DialRequest as HttpDialRequest } from './http-client-connection.ts';
import { DialError } from './http-failure.ts';
import { createHttpForward, type HttpForward, type HttpForwardLimits } from './http-forward.ts';
import type { Log } from './log.ts';
import type { DialRequest, FromThread } from './messages.ts';

export interface HttpGateOptions {
  readonly log: Log;
  readonly config: () => Config;
  /** Passes a request to a data-plane thread, which then owns its descriptor. */
  readonly dial: (request: DialRequest) => void;
  readonly authenticate: (inbound: string, name: string, password: string) => Promise<boolean>;
  /** A client's connection has ended. */
  readonly onClosed: (client: Endpoint) => void;
}

const HEAD_BYTES_MAX = 32_768;
const KEEP_ALIVE_MS = 60_000;
const REQUESTS_MAX = 10_000;
/** Our name in Via (RFC 9110 §7.6.3). */
const PSEUDONYM = 'anabranch';

type Dialed = Extract<FromThread, { kind: 'dialed' }>;

export class HttpGate {
  readonly #options: HttpGateOptions;
  readonly #forward: HttpForward;
  /** Dials under way. Bounded by the forwarder's clients and their requests; each ends with the connect timeout. */
  readonly #dials = new Map<number, (dialed: Dialed) => void>();
  /** Connections that were dialed, by the same ids, for as long as they are open. */
  readonly #dialed = new Map<number, Socket>();
  #nextId = 1;

  constructor(options: HttpGateOptions) {
    this.#options = options;
    this.#forward = createHttpForward({
      dial: (request) => this.#dial(request),
      authenticate: options.authenticate,
      onDefect: (error) => options.log.error('http-forward', error instanceof Error ? error.message : String(error)),
      onClosed: ({ client }) => options.onClosed(client),
      pseudonym: PSEUDONYM,
      ...limitsOf(options.config()),
      requestMs: 0,
      keepAliveMs: KEEP_ALIVE_MS,
      headBytesMax: HEAD_BYTES_MAX,
      requestsMax: REQUESTS_MAX,
    });
  }

  take(message: Extract<FromThread, { kind: 'hand-over' }>): void {
    const { fd, read, client, mptcp, inbound: name } = message;
    const inbound = this.#options.config().inbounds.find((one) => one.name === name);
    if (inbound === undefined) {
      closeSocket(fd);
      return this.#options.onClosed(client);
    }
    this.#forward.accept({ fd, read, client, mptcp, inbound: name, authenticate: inbound.users.length > 0 });
  }

  onDialed(message: Dialed): void {
    this.#dials.get(message.id)?.(message);
  }

  /**
   * The server's stream broke off. Between two unix sockets that would look like its end, and a response that is
   * delimited by the end would pass for whole: so what has come is read to its end, which then is an error.
   */
  onBroken(id: number, fd: number): void {
    const socket = this.#dialed.get(id);
    socket?.removeAllListeners('end');
    socket?.once('end', () => socket.destroy(new Error('the server broke the connection off')));
    closeSocket(fd);
  }

  /** The configuration has changed. */
  onReload(): void {
    this.#forward.limit(limitsOf(this.#options.config()));
  }

  /** Clients now. */
  get connections(): number {
    return this.#forward.connections;
  }

  /** Lets current responses end. */
  drain(): void {
    this.#forward.drain();
  }

  close(): void {
    this.#forward.close();
  }

  #dial(request: HttpDialRequest): Promise<Socket> {
    const { destination, client, local, mptcp, user, inbound, signal } = request;
    return new Promise((resolve, reject) => {
      let ours: number;
      let theirs: number;
      try {
        [ours, theirs] = openSocketPair();
      } catch (error) {
        return reject(new DialError('resources', error instanceof Error ? error.message : String(error)));
      }
      const id = this.#nextId++;
      const socket = new Socket({ fd: ours, readable: true, writable: true, allowHalfOpen: true });
      const onAbort = () => {
        this.#dials.delete(id);
        // The thread sees its end of the pair close, and gives up.
        socket.destroy();
        reject(new DialError('general', 'the client has gone'));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#dials.set(id, ({ failure, detail }) => {
        this.#dials.delete(id);
        signal.removeEventListener('abort', onAbort);
        if (failure === undefined) {
          this.#dialed.set(id, socket);
          socket.once('close', () => this.#dialed.delete(id));
          return resolve(socket);
        }
        socket.destroy();
        reject(new DialError(failure, detail ?? failure));
      });
      this.#options.dial({ kind: 'dial', id, fd: theirs, inbound, client, local, mptcp, user, destination });
    });
  }
}

function limitsOf({ timeouts, limits }: Config): HttpForwardLimits {
  return { headersMs: timeouts.handshake, idleMs: timeouts.idle, connectionsMax: limits.connections };
}
