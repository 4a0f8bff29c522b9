// Clients of a proxy, spelled out byte by byte: what the project's own codecs take for granted is not used here.

import type { TestContext } from 'node:test';
import { Peer, type PeerOptions } from './peer.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

export type ClientKind = 'socks5' | 'socks4' | 'socks4a' | 'connect' | 'forward';

function be16(port: number): Buffer {
  return Buffer.from([port >> 8, port & 0xff]);
}

/** RFC 1928 §5: ATYP and address. IPv6 only in its full form or as `::1`. */
function socks5Address(host: string): Buffer {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return Buffer.from([1, ...host.split('.').map(Number)]);
  if (host.includes(':')) {
    const [left = '', right = ''] = host.split('::');
    const groups = (text: string) => text.split(':').filter((group) => group !== '');
    const [before, after] = [groups(left), groups(right)];
    const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
    const bytes = [...before, ...zeros, ...after].flatMap((group) => [...be16(Number.parseInt(group, 16))]);
    return Buffer.from([4, ...bytes]);
  }
  return Buffer.concat([Buffer.from([3, host.length]), Buffer.from(host, 'latin1')]);
}

export function socks5Request({ host, port }: Target): Buffer {
  return Buffer.concat([Buffer.from([5, 1, 0]), socks5Address(host), be16(port)]);
}

/** The whole SOCKS 5 handshake; returns REP, or −1 and −2 for a refused method and refused credentials. */
export async function socks5(peer: Peer, target: Target, credentials?: Credentials): Promise<number> {
  peer.write(Buffer.from([5, 1, credentials === undefined ? 0 : 2]));
  const [, method] = await peer.read(2);
  if (method === 0xff) return -1;
  if (credentials !== undefined) {
    const { name, password } = credentials;
    const field = (text: string) => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
    peer.write(Buffer.concat([Buffer.from([1]), field(name), field(password)]));
    const [, status] = await peer.read(2);
    if (status !== 0) return -2;
  }
  peer.write(socks5Request(target));
  const [, reply, , type] = await peer.read(4);
  await peer.read(type === 1 ? 6 : type === 4 ? 18 : 0);
  return reply as number;
}

/** Returns CD: 90 is granted. A name makes it SOCKS 4A. */
export async function socks4(peer: Peer, { host, port }: Target): Promise<number> {
  const isName = !/^\d+\.\d+\.\d+\.\d+$/.test(host);
  const address = isName ? [0, 0, 0, 1] : host.split('.').map(Number);
  const name = isName ? Buffer.from(`${host}\0`, 'latin1') : Buffer.alloc(0);
  peer.write(Buffer.concat([Buffer.from([4, 1]), be16(port), Buffer.from([...address]), Buffer.from('me\0'), name]));
  const [, code] = await peer.read(8);
  return code as number;
}

/** Returns the head of the answer. */
export async function httpConnect(peer: Peer, { host, port }: Target, credentials?: Credentials): Promise<string> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  peer.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization(credentials)}\r\n`);
  return peer.readThrough('\r\n\r\n');
}

export function authorization(credentials: Credentials | undefined): string {
  if (credentials === undefined) return '';
  const { name, password } = credentials;
  return `Proxy-Authorization: Basic ${Buffer.from(`${name}:${password}`).toString('base64')}\r\n`;
}

/** Connects to the proxy and through it; throws with what the proxy said instead. */
export async function openTunnel(
  t: TestContext,
  kind: ClientKind,
  proxy: PeerOptions,
  target: Target,
  credentials?: Credentials,
): Promise<Peer> {
  const peer = await Peer.connect(t, proxy);
  switch (kind) {
    case 'forward':
      return peer;
    case 'connect': {
      const head = await httpConnect(peer, target, credentials);
      if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(head);
      return peer;
    }
    case 'socks5': {
      const reply = await socks5(peer, target, credentials);
      if (reply !== 0) throw new Error(`SOCKS 5 reply ${reply}`);
      return peer;
    }
    default: {
      const code = await socks4(peer, target);
      if (code !== 90) throw new Error(`SOCKS 4 reply ${code}`);
      return peer;
    }
  }
}
