// Many gateways on one PostgreSQL: they start together on an empty database, and each tells its own from the others'.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { openSink } from '#anabranch/cli/process-sink.js';
import { parseConfig } from '#anabranch/config/parse.js';
import type { FlowRecord } from '#anabranch/proxy/flow-record.js';
import { DAY_MS, flow, openLog, scratch } from './flowlog-entries.ts';
import { PostgresServer, requirePostgres } from './flowlog-postgres.ts';
import { until } from './support/wait.ts';

describe('a fleet on one PostgreSQL', { skip: requirePostgres(), timeout: 170_000 }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await PostgresServer.start();
  });
  after(() => server.remove());

  test('five gateways make schema and partitions together, and keep theirs apart', async () => {
    const gateways = ['alpha', 'beta', 'gamma', 'delta', 'o\'hara"; DROP TABLE flows'];
    const each = 500;
    const target = { kind: 'postgres', url: server.url() } as const;
    const logs = await Promise.all(gateways.map((gateway) => openLog(scratch(), target, { gateway })));
    for (const [g, { log }] of logs.entries()) {
      // Of several days, so that they want the same partitions at the same time.
      const acceptedAt = (n: number) => Date.now() - (n % 5) * DAY_MS - 10_000;
      log.write(Array.from({ length: each }, (_, n) => flow(n, { id: `${g}-${n}`, acceptedAt: acceptedAt(n) })));
      log.writeSamples([
        {
          at: 1_000 * Math.floor(Date.now() / 1000),
          path: 'eth0',
          subflows: 1,
          bytesSent: g,
          bytesReceived: 0,
          retransmits: 0,
        },
      ]);
    }
    for (const { log } of logs) await until(() => log.status().stored === each + 1);
    for (const { log, notices } of logs) {
      await log.close();
      assert.deepEqual(notices, []);
    }
    const counts = await server.query('SELECT gateway, count(*)::integer AS n FROM anabranch.proxy_logs GROUP BY 1');
    const byName = Object.fromEntries(counts.map(({ gateway, n }) => [gateway, n]));
    assert.deepEqual(byName, Object.fromEntries(gateways.map((name) => [name, each])));
    const samples = await server.query(
      `SELECT name, bytes_sent::integer AS sent FROM anabranch.path_samples s JOIN anabranch.gateways g ON g.id = s.gateway_id`,
    );
    assert.deepEqual(samples.map(({ name, sent }) => [name, sent]).sort(), gateways.map((name, g) => [name, g]).sort());
  });

  test('whoever may only read reads new partitions too, and writes nothing', async () => {
    await server.query(`CREATE ROLE reader LOGIN PASSWORD 'reader'`);
    await server.query('GRANT USAGE ON SCHEMA anabranch TO reader');
    await server.query('GRANT SELECT ON ALL TABLES IN SCHEMA anabranch TO reader');
    const target = { kind: 'postgres', url: server.url() } as const;
    const { log } = await openLog(scratch(), target, { gateway: 'alpha' });
    log.write([flow(1, { id: 'of-a-new-day', acceptedAt: Date.now() - 12 * DAY_MS })]);
    await until(() => log.status().stored === 1);
    await log.close();
    const url = new URL(server.url());
    url.username = 'reader';
    url.password = 'reader';
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      const { rows } = await client.query(`SELECT end_reason FROM anabranch.proxy_logs WHERE log_id = 'of-a-new-day'`);
      assert.equal(rows.length, 1);
      await assert.rejects(client.query('DELETE FROM anabranch.flows'), { code: '42501' });
    } finally {
      await client.end();
    }
  });

  test('what happens to a gateway is an event: fallbacks of its flows, reloads', async () => {
    const directory = scratch();
    const text = JSON.stringify({
      log: { target: server.url(), gateway: 'eventful', spool: { directory: join(directory, 'spool') } },
      inbounds: [{ type: 'mixed', listen: '127.0.0.1:0' }],
    });
    const parsed = parseConfig(text, { fileName: 'test', defaults: { workers: 1, admin: undefined } });
    assert.ok('config' in parsed, JSON.stringify(parsed));
    const said: string[] = [];
    const note = (code: string, message: string) => void said.push(`${code}: ${message}`);
    const sink = await openSink(parsed.config, { info: note, warn: note, error: note }, undefined);
    const fell = flow(1, { id: 'fell', serverSide: { mptcp: 'fell-back', subflows: [] } });
    const plain = flow(2, { id: 'plain', serverSide: { mptcp: 'peer-without-mptcp', subflows: [] } });
    sink.write([fell, plain] as unknown as FlowRecord[]);
    sink.note('reload', 'the configuration was read again');
    await until(() => sink.figures()?.stored === 4);
    await sink.close();
    assert.deepEqual(said, []);
    const events = await server.query(
      `SELECT kind, flow_id, data->>'side' AS side FROM anabranch.events e
       JOIN anabranch.gateways g ON g.id = e.gateway_id WHERE g.name = 'eventful' ORDER BY kind`,
    );
    assert.deepEqual(events, [
      { kind: 'fallback', flow_id: 'fell', side: 'server' },
      { kind: 'reload', flow_id: null, side: null },
    ]);
  });
});
