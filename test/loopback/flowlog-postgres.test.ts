import { rmSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { scratch } from './flowlog-entries.ts';
import { PostgresServer, requirePostgres } from './flowlog-postgres.ts';
import { defineSuite } from './flowlog-suite.ts';

describe('the log in PostgreSQL', { skip: requirePostgres(), timeout: 240_000 }, () => {
  let directory = '';
  let server: PostgresServer;
  before(async () => {
    directory = scratch();
    server = await PostgresServer.start();
  });
  after(async () => {
    await server.remove();
    rmSync(directory, { recursive: true, force: true });
  });
  defineSuite(() => ({ directory, target: { kind: 'postgres', url: server.url() } }));
});
