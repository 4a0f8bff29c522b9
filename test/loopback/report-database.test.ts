// The same flows in PostgreSQL, in the embedded database and as JSON lines: the same report.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import type { EventEntry, FlowEntry, PathSampleEntry } from '#anabranch/flowlog/entry.js';
import type { FlowLogOptions } from '#anabranch/flowlog/flow-log.js';
import { openReader } from '#anabranch/flowlog/reader.js';
import { csvLine } from '#anabranch/report/csv.js';
import { flowOfDatabase, flowsOfDatabase, reportOfDatabase } from '#anabranch/report/database-report.js';
import { flowOfLines, flowsOfLines, reportOfLines } from '#anabranch/report/lines-report.js';
import type { Report } from '#anabranch/report/report.js';
import { sampleFlows } from '../unit/report/sample-flows.js';
import { closeStored, openLog, scratch } from './flowlog-entries.js';
import { PostgresServer, requirePostgres } from './flowlog-postgres.js';

const COUNT = 3_000;
/** Retention lets go of what is old, so they end today. */
const SHIFT_MS = Date.now() - 7 * 3_600_000;
const HOSTILE = `x'); DROP TABLE anabranch.flows; --<script>alert(1)</script>\u001b[2J\u202e"`;

function flows(): FlowEntry[] {
  const all = [...sampleFlows(COUNT)];
  const shift = SHIFT_MS - (all[0] as FlowEntry).acceptedAt;
  const moved = (at: number | undefined) => (at === undefined ? undefined : at + shift);
  return all.map((flow, n) => ({
    ...flow,
    // A proxy's clock tells more than milliseconds.
    acceptedAt: flow.acceptedAt + shift + 0.25,
    requestedAt: moved(flow.requestedAt),
    connectedAt: moved(flow.connectedAt),
    firstByteUpAt: moved(flow.firstByteUpAt),
    firstByteDownAt: moved(flow.firstByteDownAt),
    endedAt: flow.endedAt + shift + 0.625,
    ...(n === 17 ? { asked: { host: HOSTILE, port: 443 }, user: HOSTILE, bytesDown: 9e11 } : {}),
  }));
}

/** What is not counted in the same order, or with other words. */
function comparable({ source, notes, paths, cells, working, ...report }: Report) {
  const sorted = <T>(map: ReadonlyMap<number, T>) => [...map].sort(([a], [b]) => a - b);
  return {
    ...report,
    destinations: report.destinations.map(({ name, bytes, flows }) => ({ name: name ?? null, bytes, flows })),
    durations: sorted(report.durations),
    volumes: sorted(report.volumes),
    connects: sorted(report.connects),
    stalls: sorted(report.stalls),
    working: working.map(({ flows, bytes }) => ({ flows, bytes })),
    cells: cells.map(({ duration, volume, flows }) => [duration, volume, flows].join()).sort(),
    carried: Math.round(paths.points.reduce((sum, { bytes }) => sum + bytes, 0) / 1_000),
    paths: [...new Set(paths.points.map(({ path }) => path))].sort(),
  };
}

function databaseSuite(
  name: string,
  options: { skip: string | false },
  provide: (directory: string) => Promise<{ target: FlowLogOptions['target']; remove: () => Promise<void> }>,
): void {
  describe(`a report of ${name}`, options, () => {
    const directory = scratch();
    const file = join(directory, 'flows.jsonl');
    let provided: Awaited<ReturnType<typeof provide>>;
    let reader: Awaited<ReturnType<typeof openReader>>;

    before(async () => {
      const all = flows();
      writeFileSync(file, all.map((flow) => `${JSON.stringify(flow)}\n`).join(''));
      provided = await provide(directory);
      const { log } = await openLog(directory, provided.target);
      log.write(all);
      await closeStored(log);
      reader = await openReader(provided.target);
    });
    after(async () => {
      await reader?.close();
      await provided?.remove();
      rmSync(directory, { recursive: true, force: true });
    });

    test('has the figures that the same flows have as JSON lines', async () => {
      const filters = [
        {},
        { destination: 'video.example.tv' },
        { client: '10.0.0.0/28', inbound: 'socks' },
        { user: HOSTILE },
        { since: SHIFT_MS + 3_600_000, until: SHIFT_MS + 2 * 3_600_000 },
        { end: 'server-reset' },
      ];
      for (const filter of filters) {
        const ofDatabase = await reportOfDatabase(reader.database, { source: 'db', filter, words: [] });
        const ofLines = await reportOfLines({ path: file, filter, words: [] });
        assert.deepEqual(comparable(ofDatabase), comparable(ofLines), JSON.stringify(filter));
        assert.ok(ofDatabase.flows > 0);
      }
    });

    test('says so when nothing fits, and what was asked for', async () => {
      const request = { source: 'db', filter: { destination: HOSTILE.slice(1) }, words: ['destination nowhere'] };
      await assert.rejects(reportOfDatabase(reader.database, request), {
        code: 'nothing-to-report',
        message: 'db holds no flow with destination nowhere',
      });
    });

    test('tells one flow with its subflows', async () => {
      const id = flows()[COUNT / 2]?.id as string;
      const ofDatabase = await flowOfDatabase(reader.database, 'db', id);
      const ofLines = await flowOfLines(file, id);
      // The database holds the time to four bytes.
      const rounded = (detail: typeof ofLines) => ({
        ...detail,
        subflows: detail.subflows.map(({ rttMs, ...subflow }) => ({ ...subflow, rttMs: rttMs?.toFixed(3) })),
      });
      assert.deepEqual(rounded(ofDatabase), rounded(ofLines));
      assert.equal(ofDatabase.subflows.filter(({ closed }) => closed).length, 1);
      await assert.rejects(flowOfDatabase(reader.database, 'db', HOSTILE), { code: 'flow-not-found' });
      await assert.rejects(flowOfLines(file, HOSTILE), { code: 'flow-not-found' });
    });

    test('lists every flow once', async () => {
      const lines = async (from: AsyncIterable<Parameters<typeof csvLine>[0]>) => {
        const all: string[] = [];
        for await (const flow of from) all.push(csvLine(flow));
        return all.sort();
      };
      const ofDatabase = await lines(flowsOfDatabase(reader.database, {}));
      assert.equal(ofDatabase.length, COUNT);
      assert.deepEqual(ofDatabase, await lines(flowsOfLines(file, {})));
    });

    test('takes the path samples where there are any, and shows events', async () => {
      // An embedded database is one process's, and one opener's.
      await reader.close();
      const { log } = await openLog(directory, provided.target);
      const samples: PathSampleEntry[] = Array.from({ length: 20 }, (_, n) => ({
        at: SHIFT_MS + 60_000 + Math.floor(n / 2) * 1_000,
        path: n % 2 === 0 ? 'wifi' : 'cellular',
        subflows: 1,
        bytesSent: 1_000,
        bytesReceived: n % 2 === 0 ? 9_000 : 1_000,
        rttMs: n % 2 === 0 ? 20 : 80,
        retransmits: 0,
      }));
      const event: EventEntry = { id: 'e1', at: SHIFT_MS + 65_000, kind: 'path-down', path: 'wifi', message: HOSTILE };
      const meanwhile = (flows()[COUNT / 2] as FlowEntry).acceptedAt + 60_000;
      const data = { addresses: ['192.0.2.10'] };
      log.writeSamples(samples);
      log.writeEvents([event, { id: 'e2', at: meanwhile, kind: 'path-down', path: 'wifi', data }]);
      log.writeEvents([{ id: 'e3', at: meanwhile, kind: 'path-down', path: 'eth9', data: { addresses: ['::1', 7] } }]);
      await closeStored(log);
      reader = await openReader(provided.target);
      const report = await reportOfDatabase(reader.database, { source: 'db', filter: {}, words: [] });
      assert.equal(report.paths.basis, 'samples');
      const sum = (path: string) =>
        report.paths.points.reduce((all, point) => all + (point.path === path ? point.bytes : 0), 0);
      assert.equal(sum('wifi'), 100_000);
      assert.equal(sum('cellular'), 20_000);
      assert.deepEqual(
        report.events.map(({ kind, path, message }) => ({ kind, path, message })),
        [
          { kind: 'path-down', path: 'wifi', message: HOSTILE },
          { kind: 'path-down', path: 'wifi', message: undefined },
          { kind: 'path-down', path: 'eth9', message: undefined },
        ],
      );
      // A flow that lived then ran over the path of that name, which the event knows the addresses of.
      const survivor = flows()[COUNT / 2] as FlowEntry;
      const { events } = await flowOfDatabase(reader.database, 'db', survivor.id);
      assert.deepEqual(
        events.map(({ kind, path }) => `${kind} ${path}`),
        ['path-down wifi'],
      );
      // Samples know of no destinations.
      const filtered = await reportOfDatabase(reader.database, {
        source: 'db',
        filter: { destination: 'video.example.tv' },
        words: [],
      });
      assert.equal(filtered.paths.basis, 'flows');
    });
  });
}

databaseSuite('PostgreSQL', { skip: requirePostgres() }, async () => {
  const server = await PostgresServer.start();
  return { target: { kind: 'postgres', url: server.url() }, remove: () => server.remove() };
});

describe('a reader of PostgreSQL', { skip: requirePostgres() }, () => {
  test('lets more queries wait for slow ones than it has connections', async () => {
    const server = await PostgresServer.start();
    try {
      const directory = scratch();
      const { log } = await openLog(directory, { kind: 'postgres', url: server.url() });
      await log.close();
      rmSync(directory, { recursive: true, force: true });
      const reader = await openReader({ kind: 'postgres', url: server.url() });
      // Longer than it may take to connect.
      const slow = () => sql<{ slept: string }>`SELECT 'yes' AS slept FROM pg_sleep(5.5)`.execute(reader.database);
      const slept = await Promise.all(Array.from({ length: 5 }, slow));
      assert.deepEqual(
        slept.map(({ rows }) => rows[0]?.slept),
        ['yes', 'yes', 'yes', 'yes', 'yes'],
      );
      const { rows } = await sql<{ jit: string }>`SHOW jit`.execute(reader.database);
      assert.equal(rows[0]?.jit, 'off');
      await reader.close();
    } finally {
      await server.remove();
    }
  });
});

databaseSuite('an embedded database', { skip: false }, async (directory) => ({
  target: { kind: 'embedded', directory: join(directory, 'log') },
  remove: async () => {},
}));
