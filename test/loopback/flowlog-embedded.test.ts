import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openReader } from '#anabranch/flowlog/reader.js';
import { flow, openLog, scratch } from './flowlog-entries.ts';
import { killInMidLoad } from './flowlog-kill.ts';
import { defineSuite } from './flowlog-suite.ts';

describe('the log in PGlite', { timeout: 240_000 }, () => {
  let directory = '';
  before(() => {
    directory = scratch();
  });
  after(() => rmSync(directory, { recursive: true, force: true }));
  const scene = () => ({ directory, target: { kind: 'embedded', directory: join(directory, 'log') } as const });
  defineSuite(scene);

  test('a second proxy on the same database is refused, whatever its spool', async () => {
    const { target } = scene();
    const { log } = await openLog(directory, target);
    await assert.rejects(openLog(scratch(), target), /log is in use by process \d+$/);
    await log.close();
    await openReader(target).then((reader) => reader.close());
  });

  test('kill -9 of the proxy', () =>
    killInMidLoad(scratch(), { kind: 'embedded', directory: join(scratch(), 'log') }, 9_000));

  test('nothing to store: the database is not even opened', async () => {
    const fresh = scratch();
    const { log } = await openLog(fresh, { kind: 'embedded', directory: join(fresh, 'log') });
    await log.close();
    assert.equal(existsSync(join(fresh, 'log', 'PG_VERSION')), false);
    log.write([flow(1)]);
    rmSync(fresh, { recursive: true });
  });
});
