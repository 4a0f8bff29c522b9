// Everything that can befall a log with a real PostgreSQL behind it. Ids are compared throughout: none lost, none twice.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIGRATIONS } from '#anabranch/flowlog/migrations.js';
import { requireRoot } from '../requirements.ts';
import { flow, openLog, scratch } from './flowlog-entries.ts';
import { killInMidLoad } from './flowlog-kill.ts';
import { PASSWORD, PostgresServer, requirePostgres } from './flowlog-postgres.ts';
import { until } from './support/wait.ts';

const PER_SECOND = 10_000;
/** The log may hold 100 MB; what it is fed with, and V8's own slack, come on top. */
const RSS_GROWTH_MAX = 250 << 20;

describe('the log and its trouble', { skip: requirePostgres(), timeout: 170_000 }, () => {
  let directory = '';
  let server: PostgresServer;
  let databases = 0;
  before(async () => {
    server = await PostgresServer.start();
  });
  after(() => server.remove());

  /** A spool and a database for each test. */
  async function scene(): Promise<{ directory: string; name: string; url: string }> {
    directory = scratch();
    const name = `log${++databases}`;
    await server.query(`CREATE DATABASE ${name}`);
    return { directory, name, url: server.url(name) };
  }

  async function idsIn(name: string, from = server): Promise<string[]> {
    const rows = await from.query('SELECT id FROM anabranch.flows ORDER BY id', [], name);
    return rows.map(({ id }) => id as string);
  }

  const idOf = (n: number) => `f-${String(n).padStart(7, '0')}`;
  const ids = (count: number) => Array.from({ length: count }, (_, n) => idOf(n));

  test(`${PER_SECOND} flows a second, and the server is killed twice meanwhile`, async () => {
    const { directory, name, url } = await scene();
    const { log, notices } = await openLog(directory, { kind: 'postgres', url });
    let count = 0;
    const rssBefore = process.memoryUsage().rss;
    let rssMax = 0;
    const began = performance.now();
    let outagesOver = false;
    const outages = (async () => {
      for (const told of [2, 4]) {
        await sleep(1_200);
        await server.stop('SIGKILL');
        await until(() => notices.length === told - 1);
        await sleep(300);
        await server.start();
        await until(() => notices.length === told);
      }
      outagesOver = true;
    })();
    while (!outagesOver || performance.now() - began < 5_000) {
      const due = Math.floor(((performance.now() - began) * PER_SECOND) / 1000);
      log.write(Array.from({ length: due - count }, () => flow(count, { id: idOf(count++) })));
      rssMax = Math.max(rssMax, process.memoryUsage().rss);
      await sleep(20);
    }
    await outages;
    await until(
      () => log.status().stored === count,
      () => 'all are stored',
      60_000,
    );
    await log.close();
    assert.deepEqual(await idsIn(name), ids(count));
    const subflows = await server.query('SELECT count(*)::integer AS count FROM anabranch.subflows', [], name);
    assert.equal(subflows[0]?.count, count * 3);
    assert.ok(count >= PER_SECOND * 4.9, `${count} written`);
    assert.ok(rssMax - rssBefore < RSS_GROWTH_MAX, `grew by ${(rssMax - rssBefore) >> 20} MiB`);
    assert.equal(log.status().lost, 0);
    // Each outage is told once and its end once; a server that is starting up counts as the same trouble.
    assert.deepEqual(
      notices.map(({ code }) => code),
      ['flow-log-trouble', 'flow-log-back', 'flow-log-trouble', 'flow-log-back'],
    );
  });

  test('kill -9 of the proxy', async () => {
    const { directory, url } = await scene();
    await killInMidLoad(directory, { kind: 'postgres', url }, 3_000);
  });

  test('a wrong password is told once, without it, and entries wait', async () => {
    const { directory, name } = await scene();
    const wrong = 's3cret&x';
    const { log, notices } = await openLog(directory, { kind: 'postgres', url: server.url(name, wrong) });
    log.write([flow(0, { id: idOf(0) })]);
    await until(() => notices.length > 0);
    await sleep(1_000);
    await log.close();
    assert.equal(notices.length, 1);
    assert.match(notices[0]?.message ?? '', /password authentication failed.*check the URL of `log`/);
    assert.equal(log.status().trouble?.kind, 'refused');
    for (const secret of [wrong, encodeURIComponent(wrong)]) {
      assert.ok(!JSON.stringify([notices, log.status()]).includes(secret));
    }
    const again = await openLog(directory, { kind: 'postgres', url: server.url(name) });
    await again.log.close();
    assert.deepEqual(await idsIn(name), ids(1));
    assert.ok(!JSON.stringify(again.log.status()).includes(PASSWORD));
  });

  test('no such database, then there is one', async () => {
    const { directory } = await scene();
    const { log, notices } = await openLog(directory, { kind: 'postgres', url: server.url('later') });
    log.write([flow(0, { id: idOf(0) })]);
    await until(() => notices.length > 0);
    assert.match(notices[0]?.message ?? '', /database "later" does not exist/);
    await server.query('CREATE DATABASE later');
    await until(() => log.status().stored === 1);
    await log.close();
    assert.deepEqual(await idsIn('later'), ids(1));
  });

  test('an old schema is brought up to date, with what is in it', async () => {
    const { directory, name, url } = await scene();
    await server.query('CREATE SCHEMA anabranch', [], name);
    await server.query(
      'CREATE TABLE anabranch.migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
      [],
      name,
    );
    await server.query(MIGRATIONS[0]?.sql ?? '', [], name);
    await server.query(`INSERT INTO anabranch.migrations VALUES (1, 'first')`, [], name);
    await server.query(`INSERT INTO anabranch.gateways (name) VALUES ('old')`, [], name);
    // Two proxies at once: one migrates, the other waits for it.
    const [one, two] = await Promise.all([
      openLog(directory, { kind: 'postgres', url }),
      openLog(scratch(), { kind: 'postgres', url }, { gateway: 'gw2' }),
    ]);
    one.log.write([flow(0, { id: idOf(0) })]);
    two.log.write([flow(1, { id: idOf(1) })]);
    two.log.writeEvents([{ at: Date.now(), kind: 'reload' }]);
    await Promise.all([one.log.close(), two.log.close()]);
    assert.deepEqual([...one.notices, ...two.notices], []);
    assert.deepEqual(await idsIn(name), ids(2));
    const versions = await server.query('SELECT version FROM anabranch.migrations ORDER BY 1', [], name);
    assert.deepEqual(
      versions.map(({ version }) => version),
      MIGRATIONS.map(({ version }) => version),
    );
    const gateways = await server.query('SELECT name FROM anabranch.gateways ORDER BY 1', [], name);
    assert.deepEqual(
      gateways.map((gateway) => gateway.name),
      ['gw1', 'gw2', 'old'],
    );
  });

  test('a newer schema is left alone', async () => {
    const { directory, name, url } = await scene();
    const first = await openLog(directory, { kind: 'postgres', url });
    first.log.write([flow(0, { id: idOf(0) })]);
    await first.log.close();
    await server.query(`INSERT INTO anabranch.migrations VALUES (99, 'from the future')`, [], name);
    const { log, notices } = await openLog(directory, { kind: 'postgres', url });
    log.write([flow(1, { id: idOf(1) })]);
    await until(() => notices.length > 0);
    assert.match(
      notices[0]?.message ?? '',
      /schema is of a newer anabranch \(version 99; this one knows \d+\): update/,
    );
    await server.query('DELETE FROM anabranch.migrations WHERE version = 99', [], name);
    await until(() => log.status().stored === 1);
    await log.close();
    assert.deepEqual(await idsIn(name), ids(2));
  });

  test('the spool keeps its bound: the oldest go, and are counted', async () => {
    const { directory, name, url } = await scene();
    const bytesMax = 2 << 20;
    await server.stop();
    const { log, notices } = await openLog(directory, { kind: 'postgres', url }, { spoolBytesMax: bytesMax });
    const count = 8_000;
    for (let n = 0; n < count; n += 200) {
      log.write(Array.from({ length: 200 }, (_, i) => flow(n + i, { id: idOf(n + i) })));
      await sleep(10);
      assert.ok(log.status().spoolBytes <= bytesMax * 1.2);
    }
    await until(() => notices.some(({ code }) => code === 'flow-log-trouble'));
    await server.start();
    await until(
      () => log.status().stored + log.status().lost === count,
      () => 'all are accounted for',
    );
    await log.close();
    const stored = await idsIn(name);
    const { lost } = log.status();
    assert.ok(lost > 0 && lost < count);
    assert.equal(stored.length, count - lost);
    assert.deepEqual(stored.slice(-1_000), ids(count).slice(-1_000));
    const told = notices.filter(({ code }) => code === 'flow-log-lost').map(({ message }) => message);
    const inWords =
      /^the oldest \d+ entries were dropped \((\d+) in all\): the spool is full \(log\.spool\.bytesMax is 2097152\)$/;
    assert.equal(Number(inWords.exec(told.at(-1) ?? '')?.[1]), lost, JSON.stringify(told));
  });

  test('the disk of the spool is full for a while', { skip: requireRoot() }, async () => {
    const { directory, name, url } = await scene();
    const disk = join(directory, 'disk');
    mount(disk, '3m');
    try {
      await server.stop();
      const options = { spoolDirectory: join(disk, 'spool') };
      const { log, notices } = await openLog(directory, { kind: 'postgres', url }, options);
      const count = 8_000;
      for (let n = 0; n < count; n += 400) {
        log.write(Array.from({ length: 400 }, (_, i) => flow(n + i, { id: idOf(n + i) })));
        await sleep(10);
      }
      await until(() => notices.some(({ code }) => code === 'flow-log-spool'));
      await server.start();
      await until(() => log.status().stored === count);
      await log.close();
      assert.deepEqual(await idsIn(name), ids(count));
      const said = notices.filter(({ code }) => code === 'flow-log-spool').map(({ message }) => message);
      assert.equal(said.length, 2, said.join('\n'));
      assert.match(said[0] ?? '', /cannot be written \(ENOSPC.*wait in memory/);
      assert.deepEqual(readdirSync(options.spoolDirectory), []);
    } finally {
      spawnSync('umount', [disk]);
    }
  });

  test("the database's disk is full for a while", { skip: requireRoot() }, async () => {
    const { directory } = await scene();
    const disk = join(directory, 'disk');
    mount(disk, '200m');
    let small: PostgresServer | undefined;
    try {
      spawnSync('chmod', ['755', directory, disk]);
      small = await PostgresServer.start(join(disk, 'pg'));
      const { log, notices } = await openLog(directory, { kind: 'postgres', url: small.url() });
      log.write([flow(0, { id: idOf(0) })]);
      await until(() => log.status().stored === 1);
      spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'ballast')}`, 'bs=64k'], { stdio: 'ignore' });
      const count = 10_000;
      for (let n = 1; n < count; n += 999) {
        const next = Math.min(999, count - n);
        log.write(Array.from({ length: next }, (_, i) => flow(n + i, { id: idOf(n + i) })));
        await sleep(10);
      }
      await until(() => notices.length > 0);
      assert.match(notices[0]?.message ?? '', /entries wait in the spool: postgres:\/\//);
      rmSync(join(disk, 'ballast'));
      // Where it could not write its own log, the server has gone down.
      await sleep(500);
      if (small.isDown) await small.start();
      await until(
        () => log.status().stored === count,
        () => `stored; ${JSON.stringify(notices)}`,
      );
      await log.close();
      assert.deepEqual(await idsIn('postgres', small), ids(count));
    } finally {
      await small?.stop('SIGQUIT');
      spawnSync('umount', ['-l', disk]);
    }
  });

  test('the log lives on when its thread dies', async () => {
    const { directory, name, url } = await scene();
    await server.stop();
    const first = await openLog(directory, { kind: 'postgres', url });
    first.log.write([flow(0, { id: idOf(0) })]);
    await first.log.close();
    await server.start();
    // Reading a directory fails with EISDIR, which nothing in the thread expects.
    const spool = join(directory, 'spool');
    const segment = join(spool, readdirSync(spool).find((file) => file.endsWith('.seg')) ?? '');
    renameSync(segment, `${segment}.aside`);
    mkdirSync(segment);
    const { log, notices } = await openLog(directory, { kind: 'postgres', url });
    log.write([flow(1, { id: idOf(1) })]);
    await until(() => notices.length > 0);
    assert.deepEqual([notices[0]?.code, /EISDIR/.test(notices[0]?.message ?? '')], ['flow-log-thread', true]);
    rmSync(segment, { recursive: true });
    renameSync(`${segment}.aside`, segment);
    log.write([flow(2, { id: idOf(2) })]);
    await until(() => log.status().stored === 3);
    await log.close();
    assert.deepEqual(await idsIn(name), ids(3));
    assert.deepEqual(readdirSync(spool), []);
  });

  test('a torn end of the spool is left, all before it is stored', async () => {
    const { directory, name, url } = await scene();
    await server.stop();
    const first = await openLog(directory, { kind: 'postgres', url });
    first.log.write(Array.from({ length: 600 }, (_, n) => flow(n, { id: idOf(n) })));
    await first.log.close();
    await server.start();
    const spool = join(directory, 'spool');
    const segment =
      readdirSync(spool)
        .filter((file) => file.endsWith('.seg'))
        .at(-1) ?? '';
    assert.notEqual(segment, '');
    writeFileSync(join(spool, segment), Buffer.from([0, 0, 4, 0, 1, 2, 3, 4, 0, 0, 0, 9, 123, 34]), { flag: 'a' });
    const { log, notices } = await openLog(directory, { kind: 'postgres', url });
    log.write([flow(600, { id: idOf(600) })]);
    await until(() => log.status().stored === 601);
    await log.close();
    assert.deepEqual(await idsIn(name), ids(601));
    assert.deepEqual(
      notices.map(({ code }) => code),
      ['flow-log-damaged'],
    );
  });
});

function mount(path: string, size: string): void {
  mkdirSync(path);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { encoding: 'utf8' });
  assert.equal(mounted.status, 0, mounted.stderr);
}
