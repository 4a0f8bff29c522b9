// A program that runs inside a host of a lab: sends numbered datagrams at a constant rate, or receives them and prints
// what came, when. Both ends read the same monotonic clock.
//
//   link-probe.js send ADDRESS PORT BYTES PER_SECOND SECONDS
//   link-probe.js receive ADDRESS PORT SECONDS
//
// The receiver ends after SECONDS at the latest, and before once its input is at an end and nothing comes any more.

import { createSocket } from 'node:dgram';

/** Number, then the time of sending in nanoseconds. */
const HEADER_BYTES = 12;

/** Longer than any gap that a slow link makes between two frames. */
const QUIET_MS = 120;

/** Times in microseconds. `received` is in the order of arrival. */
export interface ProbeReport {
  readonly received: readonly { readonly number: number; readonly sentUs: number; readonly arrivedUs: number }[];
}

const [role, address = '', port, ...numbers] = process.argv.slice(2);
if (role === 'send') send(Number(numbers[0]), Number(numbers[1]), Number(numbers[2]));
else if (role === 'receive') receive(Number(numbers[0]));

function send(bytes: number, perSecond: number, seconds: number): void {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const count = Math.round(perSecond * seconds);
  let next = 0;
  socket.connect(Number(port), address, () => {
    socket.setSendBufferSize(1 << 20);
    const start = process.hrtime.bigint();
    const tick = (): void => {
      const due = Math.min(count, (Number(process.hrtime.bigint() - start) / 1e9) * perSecond);
      for (; next < due; next++) {
        const datagram = Buffer.alloc(Math.max(bytes, HEADER_BYTES));
        datagram.writeUInt32BE(next, 0);
        datagram.writeBigUInt64BE(process.hrtime.bigint(), 4);
        // What the link refuses shows as missing at the other end.
        socket.send(datagram, () => undefined);
      }
      if (next < count) setTimeout(tick, 1);
      else setTimeout(() => socket.close(), 100);
    };
    tick();
  });
}

function receive(seconds: number): void {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 });
  const received: ProbeReport['received'][number][] = [];
  socket.on('message', (datagram) => {
    const arrivedUs = Number(process.hrtime.bigint()) / 1e3;
    received.push({ number: datagram.readUInt32BE(0), sentUs: Number(datagram.readBigUInt64BE(4)) / 1e3, arrivedUs });
  });
  socket.bind(Number(port), address, () => process.stdout.write('ready\n'));
  const end = (): void => {
    socket.close();
    process.stdout.write(JSON.stringify({ received } satisfies ProbeReport), () => process.exit());
  };
  setTimeout(end, seconds * 1e3);
  process.stdin.resume().once('end', () => {
    let before = -1;
    setInterval(() => {
      if (received.length === before) end();
      before = received.length;
    }, QUIET_MS);
  });
}
