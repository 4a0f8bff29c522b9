// What an experiment makes of the answers that an anabranch gives to a reload.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { askForReload } from '#anabranch/lab/experiments/reload.js';
import { LabError } from '#anabranch/lab/lab-error.js';

describe('a reload in mid-experiment', () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'anabranch-reload-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const [what, status, body, expected] of [
    ['is done', 200, '{"notes":[]}', undefined],
    [
      'is done in part',
      200,
      '{"notes":["`workers` changes only with a restart"]}',
      'process near reloaded, but `workers` changes only with a restart',
    ],
    ['is refused', 409, '{"error":"no rule"}', 'process near did not reload: no rule'],
    ['is refused by somebody else', 502, 'Bad gateway', 'process near did not reload: Bad gateway'],
  ] as const) {
    test(what, async (t) => {
      const path = join(directory, `${status}-${body.length}.sock`);
      const asked: string[] = [];
      const server = createServer((request, response) => {
        asked.push(`${request.method} ${request.url}`);
        response.writeHead(status).end(body);
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
      t.after(() => server.close());
      const told = await askForReload(path, 'near').then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.deepEqual(asked, ['POST /reload']);
      if (expected === undefined) return assert.equal(told, undefined);
      assert.ok(told instanceof LabError, String(told));
      assert.equal(told.message, expected);
    });
  }

  test('nobody is there', async () => {
    await assert.rejects(
      askForReload(join(directory, 'none.sock'), 'near'),
      /^LabError: process near did not reload: /,
    );
  });
});
