// The proxy over real kernel MPTCP and two paths: both carry bytes, either may die, and the records tell of it.

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';

import type { FlowRecord, SideRecord } from '#anabranch/proxy/flow-record.js';

import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';
import { type Family, FILE_BYTES, type Path, subflowOf, type Transfer, TwoPaths, type Way } from './two-paths.ts';

const skip = requireCommands('ip', 'nsenter', 'nft', 'curl', 'mptcpize') || requireMptcp() || requireNamespaces();

const PATHS: readonly Path[] = ['wifi', 'cellular'];
/** A path that is in use carries at least this much of a transfer; by rate it is a third. */
const SHARE = FILE_BYTES / 10;
/** MPTCP notices a dead path after a few retransmission timeouts; measured here: 0.3 to 1.7 s. */
const STALL_MS_MAX = 5_000;

let scene: TwoPaths;

before(async () => {
  if (!skip) scene = await TwoPaths.start();
});
after(() => scene?.close());

/** Waits until a transfer is well under way. */
function underWay(transfer: Transfer): Promise<void> {
  return Promise.race([
    until(() => transfer.got > FILE_BYTES / 4),
    transfer.sha256.then(() => assert.fail('the transfer was over before anything was done to it')),
  ]);
}

interface Ends {
  /** What the client's proxy saw of its way to the gateway; there is none when curl went straight there. */
  readonly ours: SideRecord | undefined;
  /** What the gateway saw of the client. */
  readonly theirs: SideRecord;
  readonly records: readonly FlowRecord[];
}

async function recordsOf(way: Way): Promise<Ends> {
  const gateway = await scene.record('gateway');
  const client = way === 'through both' || way === 'from either' ? await scene.record('client') : undefined;
  const records = client === undefined ? [gateway] : [client, gateway];
  for (const { end, detail } of records) assert.equal(end, 'done', detail);
  return { ours: client?.serverSide, theirs: gateway.clientSide as SideRecord, records };
}

/** Bytes of the file's direction on a subflow. */
function carried(side: SideRecord, address: string, isSender: boolean): number {
  const subflow = subflowOf(side, address);
  assert.ok(subflow !== undefined, `no subflow over ${address} in ${JSON.stringify(side)}`);
  return isSender ? subflow.bytesSent : subflow.bytesReceived;
}

/** Both ends tell of both subflows, and of as many bytes as went through. */
function checkBothPaths({ ours, theirs }: Ends, family: Family, upload: boolean): void {
  for (const [side, isSender] of [
    [theirs, !upload],
    [ours, upload],
  ] as const) {
    if (side === undefined) continue;
    assert.equal(side.mptcp, 'mptcp');
    assert.equal(side.subflows.length, 2);
    const bytes = PATHS.map((path) => carried(side, scene.address(path, family), isSender));
    for (const each of bytes) assert.ok(each > SHARE, `${bytes} on ${PATHS}`);
    // A sender's last acknowledgements may come after the end.
    assert.ok(bytes[0]! + bytes[1]! > FILE_BYTES * 0.95, `${bytes} on ${PATHS}`);
    // What was sent on both, because the first went missing or was late, is counted twice.
    assert.ok(bytes[0]! + bytes[1]! < FILE_BYTES * 1.5, `${bytes} on ${PATHS}`);
    assert.ok(side.subflows.every(({ closed }) => !closed));
    assert.ok(side.subflows.every(({ rttMs }) => rttMs > 10 && rttMs < 2_000));
  }
}

describe('both paths carry bytes', { skip, timeout: 240_000 }, () => {
  for (const { way, family, upload } of [
    { way: 'through both', family: 4, upload: false },
    { way: 'through both', family: 4, upload: true },
    { way: 'through both', family: 6, upload: false },
    { way: 'mptcpize', family: 4, upload: false },
    { way: 'mptcpize', family: 6, upload: true },
  ] as const) {
    test(`${way}, IPv${family}, ${upload ? 'upload' : 'download'}`, async () => {
      const direction = upload ? 'sent' : 'received';
      const before = await Promise.all(PATHS.map((path) => scene.interfaceBytes(path, direction)));
      assert.equal(await scene.transfer({ way, family, upload }).sha256, scene.sha256);
      for (const [i, path] of PATHS.entries()) {
        const bytes = (await scene.interfaceBytes(path, direction)) - before[i]!;
        assert.ok(bytes > SHARE, `${bytes} bytes over ${path}`);
      }
      const ends = await recordsOf(way);
      checkBothPaths(ends, family, upload);
      for (const { bytesUp, bytesDown } of ends.records) assert.ok((upload ? bytesUp : bytesDown) > FILE_BYTES);
    });
  }
});

describe('a transfer outlives a path that dies in the middle of it', { skip, timeout: 240_000 }, () => {
  for (const { how, path, way, family, upload } of [
    { how: 'silent', path: 'wifi', way: 'through both', family: 4, upload: false },
    { how: 'silent', path: 'cellular', way: 'through both', family: 4, upload: false },
    { how: 'admin', path: 'wifi', way: 'through both', family: 4, upload: false },
    { how: 'admin', path: 'cellular', way: 'through both', family: 4, upload: false },
    { how: 'silent', path: 'wifi', way: 'through both', family: 4, upload: true },
    { how: 'admin', path: 'wifi', way: 'through both', family: 6, upload: false },
    { how: 'silent', path: 'wifi', way: 'mptcpize', family: 4, upload: false },
    { how: 'silent', path: 'wifi', way: 'mptcpize', family: 6, upload: true },
  ] as const) {
    const what = `${upload ? 'upload' : 'download'} ${way}, IPv${family}`;
    test(`${path} ${how === 'silent' ? 'drops everything' : 'goes down'}: ${what}`, async (t) => {
      const link = scene.lab.link(path);
      const sent = () => link.counters('up').bytesOut;
      const sentBefore = sent();
      const transfer = scene.transfer({ way, family, upload });
      if (upload) await until(() => sent() - sentBefore > SHARE * 2);
      else await underWay(transfer);
      try {
        await link.down({ how, ...(how === 'admin' ? { side: 'client' } : {}) });
        assert.equal(await transfer.sha256, scene.sha256);
      } finally {
        await link.up();
      }
      const ends = await recordsOf(way);
      checkLostPath(ends, path, family, upload);
      checkStall(t, ends);
    });
  }
});

/** Both subflows are told of, and the one that lived has carried what the other could not. */
function checkLostPath({ ours, theirs }: Ends, lost: Path, family: Family, upload: boolean): void {
  const alive: Path = lost === 'wifi' ? 'cellular' : 'wifi';
  for (const [side, isSender] of [
    [theirs, !upload],
    [ours, upload],
  ] as const) {
    if (side === undefined) continue;
    assert.equal(side.mptcp, 'mptcp');
    const onLost = carried(side, scene.address(lost, family), isSender);
    const onAlive = carried(side, scene.address(alive, family), isSender);
    assert.ok(onLost > 0, 'the lost path had carried something');
    assert.ok(onAlive > FILE_BYTES / 2, `${onAlive} bytes on the path that lived`);
    assert.ok(onLost + onAlive > FILE_BYTES * 0.95);
  }
}

function checkStall(t: TestContext, { records }: Ends): void {
  const stalls = records.map(({ longestStallMs }) => longestStallMs);
  // The client's own proxy, or else the gateway, saw what the application saw.
  t.diagnostic(`longest stall: ${stalls.join(' ms at the client, ')} ms at the gateway`);
  for (const stall of stalls) assert.ok(stall > 0 && stall < STALL_MS_MAX, `${stall} ms`);
}

describe('after a path has died', { skip, timeout: 240_000 }, () => {
  for (const { how, way } of [
    { how: 'admin', way: 'through both' },
    // The kernel goes on choosing the path that nobody knows to be dead; so we must not leave it to the kernel.
    { how: 'silent', way: 'from either' },
  ] as const) {
    test(`a new connection takes the other one (${how}, ${way})`, async () => {
      const link = scene.lab.link('wifi');
      try {
        await link.down({ how, ...(how === 'admin' ? { side: 'client' } : {}) });
        assert.equal(await scene.transfer({ way }).sha256, scene.sha256);
      } finally {
        await link.up();
      }
      const { ours, theirs, records } = await recordsOf(way);
      for (const [side, isSender] of [
        [ours, false],
        [theirs, true],
      ] as const) {
        assert.equal(side?.mptcp, 'mptcp');
        assert.ok(carried(side, scene.address('cellular'), isSender) > FILE_BYTES * 0.95);
        assert.equal(subflowOf(side, scene.address('wifi'))?.bytesReceived ?? 0, 0);
      }
      const [{ requestedAt = 0, connectedAt = 0 } = {}] = records;
      assert.ok(connectedAt - requestedAt < 1_000, `connected after ${connectedAt - requestedAt} ms`);
    });
  }

  test('a subflow that was taken away is told of as closed, with its bytes', async (t) => {
    const address = scene.address('cellular');
    const links = PATHS.map((path) => scene.lab.link(path));
    // Slow enough for a look at what status has to say in the middle of it.
    for (const link of links) await link.set({ rate: '1500kbit' });
    t.after(() => Promise.all(links.map((link, i) => link.set({ rate: i === 0 ? '20mbit' : '10mbit' }))));
    const transfer = scene.transfer();
    await underWay(transfer);
    const [[ofClient], [ofGateway]] = await Promise.all([scene.status('client'), scene.status('gateway')]);
    for (const side of [ofClient?.serverSide, ofGateway?.clientSide]) {
      assert.deepEqual([side?.mptcp, side?.subflows.length], ['mptcp', 2]);
    }
    const { stdout } = await scene.client.exec(['ip', '-json', 'mptcp', 'endpoint', 'show']);
    const { id } = (JSON.parse(stdout) as { id: number; address: string }[]).find((one) => one.address === address)!;
    try {
      await scene.client.ip(`mptcp endpoint delete id ${id}`);
      for (const link of links) await link.set({ rate: '20mbit' });
      assert.equal(await transfer.sha256, scene.sha256);
    } finally {
      await scene.client.ip(`mptcp endpoint add ${address} dev cellular subflow`);
    }
    const { ours, theirs } = await recordsOf('through both');
    for (const [side, isSender] of [
      [ours, false],
      [theirs, true],
    ] as const) {
      assert.equal(subflowOf(side, address)?.closed, true);
      assert.ok(carried(side as SideRecord, address, isSender) > 0);
      assert.equal(subflowOf(side, scene.address('wifi'))?.closed, false);
    }
  });
});

describe('without MPTCP', { skip, timeout: 240_000 }, () => {
  test('a client that does not speak it is served over TCP, and so is a server; the records say which', async () => {
    assert.equal(await scene.transfer({ way: 'plain' }).sha256, scene.sha256);
    const { clientSide, serverSide, bytesDown } = await scene.record('gateway');
    assert.deepEqual([clientSide?.mptcp, clientSide?.subflows.length], ['client-without-mptcp', 1]);
    assert.deepEqual([serverSide?.mptcp, serverSide?.subflows.length], ['peer-without-mptcp', 1]);
    // The kernel counts the FIN, and does not always say so.
    const received = serverSide?.subflows[0]?.bytesReceived ?? 0;
    assert.ok(received - bytesDown <= 1 && received >= bytesDown, `${received} of ${bytesDown}`);
  });

  for (const { where, rules, ours, theirs } of [
    {
      where: 'from the SYN',
      rules: 'tcp flags & (syn|ack) == syn reset tcp option mptcp',
      ours: 'peer-without-mptcp',
      theirs: 'client-without-mptcp',
    },
    {
      where: 'from the SYN-ACK',
      rules: 'tcp flags & (syn|ack) == (syn|ack) reset tcp option mptcp',
      ours: 'peer-without-mptcp',
      theirs: 'client-without-mptcp',
    },
    {
      where: 'from everything but the SYNs',
      rules: 'tcp flags & syn != syn reset tcp option mptcp',
      ours: 'fell-back',
      theirs: 'client-without-mptcp',
    },
  ] as const) {
    test(`a middlebox that strips it ${where} costs the second path, not the connection`, async () => {
      try {
        await scene.middlebox(rules);
        assert.equal(await scene.transfer().sha256, scene.sha256);
      } finally {
        await scene.middlebox(undefined);
      }
      const ends = await recordsOf('through both');
      assert.deepEqual([ends.ours?.mptcp, ends.theirs.mptcp], [ours, theirs]);
      for (const side of [ends.ours, ends.theirs]) {
        assert.equal(side?.subflows.length, 1);
        assert.ok(subflowOf(side, scene.address('wifi')) !== undefined);
      }
      assert.ok(carried(ends.ours as SideRecord, scene.address('wifi'), false) > FILE_BYTES);
      assert.ok(carried(ends.theirs, scene.address('wifi'), true) > FILE_BYTES);
    });
  }
});
