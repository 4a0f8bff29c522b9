// What both databases must do alike: one suite, run on PostgreSQL and on PGlite.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as q from '#anabranch/flowlog/queries.js';
import { type FlowLogReader, openReader } from '#anabranch/flowlog/reader.js';
import type { DatabaseTarget } from '#anabranch/flowlog/target.js';
import { closeStored, DAY_MS, flow, openLog } from './flowlog-entries.ts';
import { until } from './support/wait.ts';

export interface Scene {
  /** Of this suite alone. */
  readonly directory: string;
  readonly target: DatabaseTarget;
}

const HOSTILE = [
  `x'); DROP TABLE anabranch.flows; --`,
  '<script>alert(1)</script>',
  '\u001b[2J\u001b]0;owned\u0007',
  'null\0byte',
  'half \ud800 pair',
  '{"a",NULL}',
  '\\',
  '"',
  'NULL',
  '',
  '%s%n$1',
  '\u202egnp.exe',
];

export function defineSuite(scene: () => Scene): void {
  const reading = async <T>(run: (database: FlowLogReader['database']) => Promise<T>): Promise<T> => {
    const reader = await openReader(scene().target);
    try {
      return await run(reader.database);
    } finally {
      await reader.close();
    }
  };
  const idsOf = (prefix: string) =>
    reading(async (database) => {
      const rows = await database
        .selectFrom('anabranch.flows')
        .select('id')
        .where('id', 'like', `${prefix}%`)
        .orderBy('id')
        .execute();
      return rows.map(({ id }) => id);
    });

  test('flows, samples and events arrive as they are, each once', async () => {
    const { directory, target } = scene();
    const { log, notices } = await openLog(directory, target);
    const at = Date.now() - 5_000;
    const one = flow(1, { id: 'whole', detail: 'told "so"', acceptedAt: at, end: 'server-reset' });
    log.write([one, one]);
    log.write([
      flow(2, {
        id: 'bare',
        user: undefined,
        asked: undefined,
        reached: undefined,
        outbound: undefined,
        requestedAt: undefined,
        connectedAt: undefined,
        firstByteUpAt: undefined,
        firstByteDownAt: undefined,
        clientSide: undefined,
        serverSide: undefined,
        end: 'handshake-timeout',
      }),
    ]);
    log.writeSamples([
      { at: at + 250, path: 'dsl', subflows: 2, bytesSent: 10, bytesReceived: 1_000, rttMs: 20, retransmits: 1 },
      { at: at + 1_250, path: 'dsl', subflows: 3, bytesSent: 20, bytesReceived: 3_000, rttMs: 40, retransmits: 0 },
      { at: at + 250, path: 'lte', subflows: 1, bytesSent: 5, bytesReceived: 7, retransmits: 0 },
    ]);
    log.writeEvents([
      {
        at,
        kind: 'path-down',
        path: 'lte',
        flowId: 'whole',
        message: 'carrier lost',
        data: { carrier: false, "it's": ['"'] },
      },
      { at, kind: 'reload' },
    ]);
    await closeStored(log);
    assert.equal(log.status().spoolBytes, 0);
    assert.deepEqual(notices, []);
    await reading(async (database) => {
      const found = await q.findFlow(database, 'whole');
      assert.ok(found !== undefined);
      const { flow: stored, subflows, events } = found;
      assert.deepEqual(stored, {
        id: 'whole',
        startedAt: at,
        endedAt: one.endedAt,
        durationMs: one.endedAt - at,
        gateway: 'gw1',
        inbound: 'mixed',
        outbound: 'direct',
        clientAddress: '10.0.0.1',
        clientPort: 1025,
        user: null,
        destinationHost: 'mirror.example.net',
        destinationPort: 443,
        bytesUp: 501,
        bytesDown: 100_001,
        longestStallMs: 1,
        end: 'server-reset',
        detail: 'told "so"',
        clientMptcp: 'peer-plain',
        serverMptcp: 'mptcp',
        clientSubflows: 1,
        serverSubflows: 2,
      });
      const chosen = await database
        .selectFrom('anabranch.flows')
        .select(['client_congestion', 'server_congestion'])
        .where('id', '=', 'whole')
        .execute();
      assert.deepEqual(chosen, [{ client_congestion: null, server_congestion: 'bbr: 1 % lost' }]);
      assert.deepEqual(
        subflows.map(({ side, ordinal, localAddress, bytesReceived, rttMs, backup }) => [
          side,
          ordinal,
          localAddress,
          bytesReceived,
          rttMs,
          backup,
        ]),
        [
          ['client', 0, '192.0.2.2', 90_000, 12.5, null],
          ['server', 0, '192.0.2.2', 90_000, 12.5, null],
          ['server', 1, '192.0.2.1', 180_000, 25, null],
        ],
      );
      assert.deepEqual(
        events.map(({ kind, path, message, data }) => [kind, path, message, data]),
        [['path-down', 'lte', 'carrier lost', { carrier: false, "it's": ['"'] }]],
      );
      assert.equal((await q.findFlow(database, 'bare'))?.flow.destinationHost, null);
      assert.equal(await q.findFlow(database, 'none'), undefined);
      const second = Math.floor(at / 1000) * 1000;
      const wide = { since: second - 1_000, until: second + 60_000 };
      const series = await q.pathSeries(database, { ...wide, stepMs: 1_000 });
      const received = series.map(({ path, at: step, bytesReceived }) => [path, step - second, bytesReceived]);
      const later = Math.floor((at + 1_250) / 1000) * 1000 - second;
      const first = Math.floor((at + 250) / 1000) * 1000 - second;
      assert.deepEqual(received, [
        ['dsl', first, 1_000],
        ['lte', first, 7],
        ['dsl', later, 3_000],
      ]);
      const coarse = await q.pathSeries(database, { ...wide, stepMs: 600_000 });
      assert.ok(coarse.length <= 4);
      assert.equal(
        coarse.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0),
        4_007,
      );
      assert.deepEqual(
        (await q.listEvents(database, { ...wide, since: at, kind: 'reload' })).map(({ kind }) => kind),
        ['reload'],
      );
    });
  });

  test('names from the network are data', async () => {
    const { directory, target } = scene();
    const { log, notices } = await openLog(directory, target);
    log.write(
      HOSTILE.map((host, n) =>
        flow(n, {
          id: `hostile-${String(n).padStart(2, '0')}`,
          asked: { host, port: 1 },
          user: host,
          detail: host,
          inbound: host,
          client: { address: 'fe80::1%eth0', port: 1 },
          end: host,
        }),
      ),
    );
    log.writeEvents(HOSTILE.map((text) => ({ at: Date.now(), kind: text, message: text, path: text, data: { text } })));
    await closeStored(log);
    assert.deepEqual(notices, []);
    await reading(async (database) => {
      for (const host of HOSTILE) {
        const kept = host.replace(/\0|\p{Surrogate}/gu, '\ufffd');
        const { flows } = await q.listFlows(database, {
          destination: kept,
          user: kept,
          end: kept,
          client: 'fe80::/10',
        });
        assert.equal(flows.length, 1, JSON.stringify(host));
        assert.equal(flows[0]?.detail, kept);
      }
    });
  });

  test('one entry that cannot be stored spoils no other', async () => {
    const { directory, target } = scene();
    const { log, notices } = await openLog(directory, target);
    const flows = Array.from({ length: 500 }, (_, n) => flow(n, { id: `sound-${String(n).padStart(3, '0')}` }));
    flows.splice(123, 0, flow(1, { id: 'unsound', client: { address: '10.0.0.1', port: 1e12 } }));
    log.write(flows);
    log.writeEvents([{ at: Date.now(), kind: 'beside', id: 'beside-1' }]);
    await closeStored(log);
    assert.equal((await idsOf('sound-')).length, 500);
    assert.deepEqual(await idsOf('unsound'), []);
    assert.deepEqual(
      notices.map(({ code }) => code),
      ['flow-log-rejected'],
    );
    assert.equal(log.status().rejected, 1);
  });

  test('filters, pages, totals, shares and percentiles', async () => {
    const { directory, target } = scene();
    const { log } = await openLog(directory, target, { gateway: 'gw-queries' });
    const base = Date.now() - 3_600_000;
    // Pairs end in the same millisecond: pages must not lose one between them.
    const flows = Array.from({ length: 1_000 }, (_, n) =>
      flow(n, {
        id: `query-${String(n).padStart(4, '0')}`,
        acceptedAt: base + (n >> 1) * 10,
        endedAt: base + (n >> 1) * 10 + n + 1 - (n % 2),
      }),
    );
    log.write(flows);
    await closeStored(log);
    await reading(async (database) => {
      const filter = { gateway: 'gw-queries' };
      const seen: string[] = [];
      let after: q.Cursor | undefined;
      do {
        const page = await q.listFlows(database, filter, { limit: 64, after });
        seen.push(...page.flows.map(({ id }) => id));
        after = page.cursor;
      } while (after !== undefined);
      const expected = [...flows].sort((a, b) => b.endedAt - a.endedAt || (a.id < b.id ? 1 : -1)).map(({ id }) => id);
      assert.deepEqual(seen, expected);

      const sum = (of: (f: (typeof flows)[number]) => number) => flows.reduce((total, f) => total + of(f), 0);
      assert.deepEqual(await q.totals(database, filter), {
        flows: 1_000,
        bytesUp: sum((f) => f.bytesUp),
        bytesDown: sum((f) => f.bytesDown),
        pooled: 1_000,
        failed: 100,
        firstStartedAt: base,
        lastEndedAt: Math.max(...flows.map((f) => f.endedAt)),
        longestStallMs: 49,
      });
      const half = { ...filter, since: base + 2_500, until: base + 4_000 };
      assert.equal(
        (await q.totals(database, half)).flows,
        flows.filter((f) => f.endedAt >= half.since && f.endedAt < half.until).length,
      );
      assert.equal((await q.totals(database, { ...filter, client: '10.0.0.0/24' })).flows, 256);
      assert.equal((await q.totals(database, { ...filter, user: 'alice', end: 'server-reset' })).flows, 34);
      assert.equal((await q.totals(database, { gateway: 'nobody' })).flows, 0);
      const destinations = await q.shares(database, 'destination', filter, { limit: 2 });
      assert.deepEqual(
        destinations.map(({ name, flows: count }) => [name, count]),
        [
          ['cdn.example.com', 250],
          ['2001:db8::7', 250],
        ],
      );
      const ends = await q.shares(database, 'end', filter, { order: 'flows' });
      assert.deepEqual(
        ends.map(({ name, flows: count }) => [name, count]),
        [
          ['done', 900],
          ['server-reset', 100],
        ],
      );
      const stalls = await q.percentiles(database, 'stall', [0, 0.5, 1], filter);
      assert.deepEqual(stalls, [0, 24.5, 49]);
      assert.deepEqual(await q.percentiles(database, 'connect', [0.9], filter), [18]);
      assert.equal(await q.percentiles(database, 'connect', [0.9], { gateway: 'nobody' }), undefined);
      const histogram = await q.logHistogram(database, 'duration', { from: 1, to: 1_000, buckets: 3 }, filter);
      const classOf = (ms: number) => Math.min(2, Math.floor(Math.log10(Math.max(1, ms)) + 1e-12));
      const counted = [0, 0, 0];
      for (const f of flows) counted[classOf(f.endedAt - f.acceptedAt)]!++;
      assert.deepEqual(histogram, counted);
    });
  });

  test('days are partitions, and old ones go', async () => {
    const { directory, target } = scene();
    const first = await openLog(directory, target);
    const days = [0, 1, 5, 20];
    first.log.write(
      days.map((day) =>
        flow(day, { id: `day-${String(day).padStart(2, '0')}`, acceptedAt: Date.now() - day * DAY_MS - 5_000 }),
      ),
    );
    await closeStored(first.log);
    assert.deepEqual(await idsOf('day-'), ['day-00', 'day-01', 'day-05', 'day-20']);
    const second = await openLog(directory, target, { retentionMs: 3 * DAY_MS });
    second.log.write([
      flow(1, { id: 'day-late', acceptedAt: Date.now() - 20 * DAY_MS }),
      flow(1, { id: 'day-mad', acceptedAt: Date.UTC(2500, 0, 1) }),
      flow(1, { id: 'day-now' }),
    ]);
    await closeStored(second.log);
    assert.deepEqual(await idsOf('day-'), ['day-00', 'day-01', 'day-now']);
    assert.equal(second.log.status().expired, 2);
  });

  test('the view of the earlier system', async () => {
    const { directory, target } = scene();
    const { log } = await openLog(directory, target);
    const acceptedAt = Date.now() - 10_000;
    log.write([flow(9, { id: 'view', acceptedAt, endedAt: acceptedAt + 1_500 })]);
    await closeStored(log);
    const { sql } = await import('kysely');
    const rows = await reading(
      async (database) =>
        (
          await sql`SELECT log_id, duration_seconds::float8 AS seconds, client_address, destination_host, destination_port,
        bytes_sent, bytes_received, inbound, outbound, user_name, end_reason, gateway, start_time, end_time
        FROM anabranch.proxy_logs WHERE log_id = ${'view'}`.execute(database)
        ).rows,
    );
    const { start_time, end_time, ...rest } = rows[0] as { start_time: Date | string; end_time: Date | string };
    assert.deepEqual([new Date(start_time).getTime(), new Date(end_time).getTime()], [acceptedAt, acceptedAt + 1_500]);
    assert.deepEqual(rest, {
      log_id: 'view',
      seconds: 1.5,
      client_address: '10.0.0.9',
      destination_host: 'mirror.example.net',
      destination_port: 443,
      bytes_sent: 509,
      bytes_received: 100_009,
      inbound: 'mixed',
      outbound: 'direct',
      user_name: 'alice',
      end_reason: 'done',
      gateway: 'gw1',
    });
  });

  test('a second proxy on the same spool is refused', async () => {
    const { directory, target } = scene();
    const { log } = await openLog(directory, target);
    await assert.rejects(openLog(directory, target), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'directory-locked');
      assert.match(error.message, new RegExp(`is in use by process ${process.pid}$`));
      return true;
    });
    await closeStored(log);
  });

  test('what is read while the log is open', async () => {
    const { directory, target } = scene();
    const { log } = await openLog(directory, target);
    log.write([flow(1, { id: 'live-1' })]);
    await until(() => log.status().stored === 1);
    assert.deepEqual(await idsOf('live-'), ['live-1']);
    if (target.kind === 'embedded') {
      // What comes through the socket only reads.
      await assert.rejects(
        reading((database) => database.deleteFrom('anabranch.flows').execute()),
        /read-only transaction/,
      );
    }
    await closeStored(log);
  });
}
