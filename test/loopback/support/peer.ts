// One end of a TCP connection, as a client or a server of a test uses it: reads by count, tells how the stream ended.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { within } from './wait.ts';

export interface PeerOptions {
  readonly host?: string;
  readonly port: number;
  /** The client's own address. */
  readonly from?: string;
}

export class Peer {
  readonly socket: Socket;
  /** `end`, the code of the error that ended the stream, or `closed`. */
  readonly ended: Promise<string>;
  /** The error's code, or `closed`: when both directions are over. */
  readonly closed: Promise<string>;
  /** Local and remote; a socket forgets them when it is reset. */
  readonly ports: readonly [number, number];
  #chunks: Buffer[] = [];
  #length = 0;
  #over = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.ports = [socket.localPort ?? 0, socket.remotePort ?? 0];
    let code: string | undefined;
    socket.on('data', (data) => {
      this.#chunks.push(data);
      this.#length += data.length;
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      const end = (how: string) => {
        this.#over = true;
        this.#wake();
        resolve(how);
      };
      socket.once('end', () => end('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => {
        code = error.code ?? error.message;
        end(code);
      });
      socket.once('close', () => end('closed'));
    });
    this.closed = new Promise((resolve) => socket.once('close', () => resolve(code ?? 'closed')));
  }

  static async connect(t: TestContext, { host = '127.0.0.1', port, from }: PeerOptions): Promise<Peer> {
    const local = from === undefined ? {} : { localAddress: from };
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, ...local });
    t.after(() => socket.destroy());
    await within(once(socket, 'connect'), `connecting to ${host}:${port}`);
    return new Peer(socket);
  }

  /** Bytes that have come and were not read. */
  get waiting(): number {
    return this.#length;
  }

  /** Exactly `count` bytes; fails when the stream ends before. */
  async read(count: number): Promise<Buffer> {
    await this.#until(() => this.#length >= count || this.#over, `${count} bytes`);
    if (this.#length < count) throw new Error(`the stream ended after ${this.#length} of ${count} bytes`);
    const all = Buffer.concat(this.#chunks);
    this.#keep(all.subarray(count));
    return all.subarray(0, count);
  }

  /** Up to and with `mark`. */
  async readThrough(mark: string): Promise<string> {
    const found = () => Buffer.concat(this.#chunks).indexOf(mark);
    await this.#until(() => this.#over || found() >= 0, JSON.stringify(mark));
    const at = found();
    if (at < 0) throw new Error(`the stream ended before ${JSON.stringify(mark)}: ${Buffer.concat(this.#chunks)}`);
    return (await this.read(at + mark.length)).toString('latin1');
  }

  /** All that comes until the stream ends, however it does. */
  async readAll(): Promise<Buffer> {
    await within(this.ended, 'the end of the stream', 30_000);
    const all = Buffer.concat(this.#chunks);
    this.#keep(Buffer.alloc(0));
    return all;
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  end(data?: string | Uint8Array): void {
    if (data === undefined) this.socket.end();
    else this.socket.end(data);
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  #keep(left: Buffer): void {
    this.#chunks = left.length > 0 ? [left] : [];
    this.#length = left.length;
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const wait = async () => {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    await within(wait(), `${what}; there are ${this.#length} bytes`);
  }
}
