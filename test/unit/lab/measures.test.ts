import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { parseFlowRecords, subflowsByLink } from '#anabranch/lab/measures/flow-records.js';
import { mibGrowth, parseMib, parseNetDev, retransmissions } from '#anabranch/lab/measures/network-counters.js';
import { parseProcess, readProcess } from '#anabranch/lab/measures/process-use.js';

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0
  wifi: 12345678     90    0    0    0     0          0         0 98765432     70    0    0    0     0       0          0
a-name-of-15-ch:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
`;

describe('counters of a namespace', () => {
  test('/proc/net/dev', () => {
    assert.deepEqual(
      [...parseNetDev(NET_DEV)],
      [
        ['lo', { receivedBytes: 100, sentBytes: 100 }],
        ['wifi', { receivedBytes: 12_345_678, sentBytes: 98_765_432 }],
        ['a-name-of-15-ch', { receivedBytes: 1, sentBytes: 9 }],
      ],
    );
    assert.equal(parseNetDev('').size, 0);
    assert.ok(parseNetDev(readFileSync('/proc/net/dev', 'utf8')).has('lo'));
  });

  test('/proc/net/netstat and snmp', () => {
    const text = 'Tcp: ActiveOpens RetransSegs\nTcp: 7 -1\nMPTcpExt: MPCapableSYNTX\nMPTcpExt: 3\n';
    assert.deepEqual(parseMib(text), { TcpActiveOpens: 7, TcpRetransSegs: -1, MPTcpExtMPCapableSYNTX: 3 });
    assert.throws(() => parseMib('Tcp: A\nUdp: 1\n'));
    const own = parseMib(readFileSync('/proc/net/snmp', 'utf8'));
    assert.ok(Number.isInteger(own.TcpRetransSegs));
  });

  test('growth names what changed', () => {
    assert.deepEqual(mibGrowth({ a: 1, b: 2 }, { a: 1, b: 5, c: 4 }), { b: 3, c: 4 });
    assert.deepEqual(retransmissions({ TcpOutSegs: 10, TcpRetransSegs: 2, MPTcpExtMPTCPRetrans: 1 }), {
      segmentsSent: 10,
      segments: 2,
      timeouts: 0,
      lossProbes: 0,
      reinjections: 1,
    });
  });
});

describe('processes', () => {
  test('a name with spaces and parentheses does not confuse', () => {
    const fields = Array.from({ length: 50 }, (_, i) => String(i + 3));
    const reading = parseProcess(
      `42 (a) b (c) ${fields.join(' ')}`,
      'Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n',
    );
    assert.deepEqual(reading, {
      startTicks: 22,
      cpuMs: (14 + 15) * 10,
      residentBytes: 1 << 20,
      residentBytesMax: 2 << 20,
    });
  });

  test('this process uses something, one that is not there nothing', () => {
    const reading = readProcess(process.pid)!;
    assert.ok(reading.cpuMs > 0 && reading.residentBytes > 1e6 && reading.residentBytesMax >= reading.residentBytes);
    assert.equal(readProcess(0x7fff_fff0), undefined);
  });
});

describe('flow records', () => {
  const subflow = (local: string, bytesReceived: number, retransmits: number, rttMs: number) => ({
    id: 1,
    local: { address: local, port: 1 },
    remote: { address: '192.0.2.1', port: 2 },
    bytesSent: 1,
    bytesReceived,
    retransmits,
    rttMs,
    closed: false,
  });
  const flow = {
    id: 'a',
    end: 'done',
    bytesUp: 1,
    bytesDown: 2,
    longestStallMs: 3,
    serverSide: { mptcp: 'mptcp', subflows: [subflow('10.0.0.1', 70, 1, 20), subflow('10.0.1.1', 30, 2, 100)] },
  };

  test('lines that are none are counted and left out', () => {
    const text = `${JSON.stringify(flow)}\n\nnot json\nnull\n{"id":7}\n${JSON.stringify(flow).slice(0, 50)}`;
    const { flows, unreadable } = parseFlowRecords(text);
    assert.equal(flows.length, 1);
    assert.equal(unreadable, 4);
  });

  test('subflows are summed by link', () => {
    const links = new Map([['10.0.0.1', 'wifi']]);
    const linkOf = ({ local }: { local: { address: string } }) => links.get(local.address);
    assert.deepEqual(subflowsByLink([flow, flow], 'serverSide', linkOf), [
      { link: 'wifi', subflows: 2, bytesSent: 2, bytesReceived: 140, retransmits: 2, rttMs: 20 },
      { link: undefined, subflows: 2, bytesSent: 2, bytesReceived: 60, retransmits: 4, rttMs: 100 },
    ]);
    assert.deepEqual(subflowsByLink([flow], 'clientSide', linkOf), []);
  });
});
