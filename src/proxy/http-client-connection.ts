// One client's connection while the HTTP forwarder has it: who it is, its upstream connections, its requests in order.

import { Agent, type ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';

import type { MptcpState } from '../socket/mptcp.ts';
import type { Destination, Endpoint } from '../wire/destination.ts';
import { canonicalIp } from '../wire/ip.ts';

/** Whom a request comes from. */
export interface HttpClient {
  readonly client: Endpoint;
  readonly inbound: string;
  /** How the client came to us. */
  readonly mptcp: MptcpState;
  /** The inbound has users: every request must carry a name and a password. */
  readonly authenticate: boolean;
}

export interface DialRequest extends HttpClient {
  readonly destination: Destination;
  readonly user: string | undefined;
  /** Where the client's connection ends here, while it is open. */
  readonly local: Endpoint | undefined;
  /** Nobody waits for the connection any more. Not aborted once the dial has settled. */
  readonly signal: AbortSignal;
}

/**
 * Opens a connection to the destination; rejects with a DialError. The socket is the forwarder's. It must be open for
 * half-close (`allowHalfOpen`), or an upgraded connection loses what comes after the client's end.
 */
export type Dial = (request: DialRequest) => Promise<Socket>;

export interface ClientConnection extends HttpClient {
  readonly socket: Socket;
  /** Its upstream connections. Not shared with other clients, so that each flow has one client. */
  readonly agent: Agent;
  /** Who asked last, and with which credentials, so that a password is checked once and not with every request. */
  user: string | undefined;
  credentials: string | undefined;
  /** The parser has found a fault, or the bytes are no HTTP any more; nothing further is served. */
  over: boolean;
  /** Runs requests one after the other, as HTTP/1.1 answers them. False when too many wait. */
  enqueue(serve: () => Promise<void>): boolean;
  /** Requests being served or waiting. */
  readonly pending: number;
}

/** Options of a request that its agent hands to the dial. */
export interface UpstreamOptions extends ClientRequestArgs {
  readonly dialSignal: AbortSignal;
  readonly destination: Destination;
}

/** Pipelined requests that wait; more are an attack, not a browser. */
const PENDING_MAX = 64;
/** Idle upstream connections kept for one client, and for how long. */
const IDLE_MAX = 4;
const IDLE_MS_MAX = 30_000;

/** `onDefect`: serving has failed in a way it must not; the connection is cut. */
export function createClientConnection(
  socket: Socket,
  who: HttpClient,
  dial: Dial,
  onDefect: (error: unknown) => void,
): ClientConnection {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: IDLE_MAX, timeout: IDLE_MS_MAX, scheduling: 'lifo' });
  let tail = Promise.resolve();
  let pending = 0;
  const connection: ClientConnection = {
    client: who.client,
    inbound: who.inbound,
    mptcp: who.mptcp,
    authenticate: who.authenticate,
    socket,
    agent,
    user: undefined,
    credentials: undefined,
    over: false,
    get pending() {
      return pending;
    },
    enqueue(serve) {
      if (pending >= PENDING_MAX) return false;
      pending++;
      tail = tail.then(serve).then(
        () => {
          pending--;
        },
        (error: unknown) => {
          pending--;
          socket.destroy();
          onDefect(error);
        },
      );
      return true;
    },
  };
  agent.createConnection = (options, callback) => {
    const { destination, dialSignal } = options as UpstreamOptions;
    dialFor(connection, destination, dial, dialSignal).then(
      (upstream) => callback?.(null, upstream),
      (error: unknown) => callback?.(error as Error, undefined as never),
    );
    return undefined;
  };
  socket.once('close', () => agent.destroy());
  return connection;
}

/** Dials for a client. `signal` may be aborted at any time; the dial sees it only until it has made the connection. */
export async function dialFor(
  { client, inbound, mptcp, authenticate, user, socket }: ClientConnection,
  destination: Destination,
  dial: Dial,
  signal: AbortSignal,
): Promise<Socket> {
  const dialling = new AbortController();
  const cancel = (): void => dialling.abort();
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const local = localEndOf(socket);
    return await dial({ destination, client, local, inbound, mptcp, authenticate, user, signal: dialling.signal });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function localEndOf({ localAddress = '', localPort }: Socket): Endpoint | undefined {
  const address = canonicalIp(localAddress);
  return address === undefined || localPort === undefined ? undefined : { address, port: localPort };
}

/** Closes idle connections beyond IDLE_MAX over all servers: the agent itself counts for each server apart. */
export function trimIdle(agent: Agent): void {
  const idle = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []);
  for (const socket of idle.slice(0, Math.max(0, idle.length - IDLE_MAX))) socket.destroy();
}

/** Closes the idle connections to a server: what must not be sent twice is not sent on one that may be half dead. */
export function dropIdle(agent: Agent, destination: Destination): void {
  const idle = agent.freeSockets[agent.getName({ host: destination.host, port: destination.port })] ?? [];
  for (const socket of [...idle]) socket.destroy();
}
