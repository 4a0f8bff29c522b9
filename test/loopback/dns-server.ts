// A name server on loopback UDP, as small as a test needs it: one question in, what the table says out.

import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';

import { ipToBytes } from '#anabranch/wire/ip.js';

export type Reply =
  | { readonly addresses: readonly string[]; readonly ttl: number; readonly delayMs?: number }
  | { readonly rcode: number }
  | 'silence'
  | 'nonsense';

export interface DnsServer {
  /** `127.0.0.1:port`, as a resolver takes it. */
  readonly address: string;
  /** `A name` and `AAAA name`; a name without an entry does not exist. */
  readonly replies: Map<string, Reply>;
  readonly asked: string[];
  close(): Promise<void>;
}

export const Rcode = { NoError: 0, ServFail: 2, NxDomain: 3, Refused: 5 } as const;

export async function openDnsServer(): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const replies = new Map<string, Reply>();
  const asked: string[] = [];
  const timers = new Set<NodeJS.Timeout>();
  socket.on('message', (query, from) => {
    const question = readQuestion(query);
    const key = `${question.type === 28 ? 'AAAA' : 'A'} ${question.name}`;
    asked.push(key);
    const other = replies.has(`A ${question.name}`) || replies.has(`AAAA ${question.name}`);
    const reply = replies.get(key) ?? { rcode: other ? Rcode.NoError : Rcode.NxDomain };
    if (reply === 'silence') return;
    const send = (to: RemoteInfo, bytes: Buffer): void => socket.send(bytes, to.port, to.address);
    if (reply === 'nonsense') return send(from, Buffer.from('this is not DNS'));
    const bytes = encodeReply(query, question, reply);
    if (!('delayMs' in reply)) return send(from, bytes);
    timers.add(setTimeout(() => send(from, bytes), reply.delayMs));
  });
  return {
    address: `127.0.0.1:${socket.address().port}`,
    replies,
    asked,
    async close() {
      for (const timer of timers) clearTimeout(timer);
      socket.close();
      await once(socket, 'close');
    },
  };
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function encodeReply(query: Buffer, question: { type: number; end: number }, reply: Exclude<Reply, string>): Buffer {
  const addresses = 'addresses' in reply ? reply.addresses : [];
  const head = Buffer.from(query.subarray(0, question.end));
  // QR, RD, RA; one question; no authority, no additional section (the query may have had an OPT record there).
  head.writeUInt16BE(0x8180 | ('rcode' in reply ? reply.rcode : 0), 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((address) => {
    const plain = ipToBytes(address);
    // ::ffff:a.b.c.d counts as IPv4 everywhere else; as AAAA it must have its 16 bytes.
    const mapped = question.type === 28 && plain.length === 4;
    const data = mapped ? Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), plain]) : plain;
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(0xc00c, 0);
    fixed.writeUInt16BE(question.type, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt32BE('ttl' in reply ? reply.ttl : 0, 6);
    fixed.writeUInt16BE(data.length, 10);
    return Buffer.concat([fixed, data]);
  });
  return Buffer.concat([head, ...records]);
}
