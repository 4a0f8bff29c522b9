import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TcpFlag, type TcpPacket } from '../../../bench/measure/packets.ts';
import { proxyDelays } from '../../../bench/measure/proxy-delays.ts';

const PROXY = 1080;
const SERVER = 80;
const { syn, ack } = TcpFlag;

/** `[µs, from, to, flags, payload]` */
function packets(...rows: readonly (readonly [number, number, number, number, number?])[]): TcpPacket[] {
  return rows.map(([us, fromPort, toPort, flags, payloadBytes = 0]) => {
    return { atNs: us * 1000, fromPort, toPort, flags, payloadBytes };
  });
}

/** A whole forwarded connection from client port `c` and proxy port `p`, beginning at `t` µs. */
function forwarded(t: number, c: number, p: number): TcpPacket[] {
  return packets(
    [t, c, PROXY, syn],
    [t + 5, PROXY, c, syn | ack],
    [t + 8, c, PROXY, ack],
    [t + 40, p, SERVER, syn],
    [t + 45, SERVER, p, syn | ack],
    [t + 48, p, SERVER, ack],
    [t + 1000, c, PROXY, ack, 1],
    [t + 1005, PROXY, c, ack],
    [t + 1030, p, SERVER, ack, 1],
    [t + 1035, SERVER, p, ack],
    [t + 1060, SERVER, p, ack, 1],
    [t + 1080, PROXY, c, ack, 1],
    [t + 2000, c, PROXY, TcpFlag.fin | ack],
  );
}

describe('delays of a proxy', () => {
  test('a forwarded connection', () => {
    assert.deepEqual(proxyDelays(forwarded(0, 5000, 6000), PROXY, SERVER, false), {
      setUp: [40],
      up: [30],
      down: [20],
    });
  });

  test('several, one after the other', () => {
    const all = [...forwarded(0, 5000, 6000), ...forwarded(5000, 5001, 6001), ...forwarded(9000, 5002, 6002)];
    assert.deepEqual(proxyDelays(all, PROXY, SERVER, false), {
      setUp: [40, 40, 40],
      up: [30, 30, 30],
      down: [20, 20, 20],
    });
  });

  test('a capture that begins within a connection leaves it out', () => {
    const all = [...forwarded(0, 5000, 6000).slice(4), ...forwarded(5000, 5001, 6001)];
    assert.deepEqual(proxyDelays(all, PROXY, SERVER, false), { setUp: [40], up: [30], down: [20] });
  });

  test('a repeated SYN counts from the first', () => {
    const all = [...packets([0, 5000, PROXY, syn]), ...forwarded(100, 5000, 6000)];
    assert.deepEqual(proxyDelays(all, PROXY, SERVER, false).setUp, [140]);
    const again = [...forwarded(0, 5000, 6000).slice(0, 4), ...packets([50, 6000, SERVER, syn])];
    assert.deepEqual(proxyDelays(again, PROXY, SERVER, false).setUp, [40]);
  });

  test('with a handshake, set-up counts from the request, and its bytes are no data', () => {
    const socks = packets(
      [0, 5000, PROXY, syn],
      [10, 5000, PROXY, ack, 3],
      [30, PROXY, 5000, ack, 2],
      [40, 5000, PROXY, ack, 10],
      [100, 6000, SERVER, syn],
      [105, SERVER, 6000, syn | ack],
      [130, PROXY, 5000, ack, 10],
      [1000, 5000, PROXY, ack, 1],
      [1025, 6000, SERVER, ack, 1],
      [1050, SERVER, 6000, ack, 1],
      [1065, PROXY, 5000, ack, 1],
    );
    assert.deepEqual(proxyDelays(socks, PROXY, SERVER, true), { setUp: [60], up: [25], down: [15] });
  });

  test('only the first byte each way counts', () => {
    const all = [...forwarded(0, 5000, 6000), ...packets([3000, 6000, SERVER, ack, 1], [3001, PROXY, 5000, ack, 1])];
    assert.deepEqual(proxyDelays(all, PROXY, SERVER, false), { setUp: [40], up: [30], down: [20] });
  });

  test('nothing captured, nothing found', () => {
    assert.deepEqual(proxyDelays([], PROXY, SERVER, false), { setUp: [], up: [], down: [] });
  });
});
