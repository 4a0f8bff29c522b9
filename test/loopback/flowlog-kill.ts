// kill -9 in mid-load: what was logged more than a second before must be there afterwards, and nothing twice.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openReader } from '#anabranch/flowlog/reader.js';
import type { DatabaseTarget } from '#anabranch/flowlog/target.js';
import { openLog } from './flowlog-entries.ts';
import { until } from './support/wait.ts';

const VICTIM = join(dirname(fileURLToPath(import.meta.url)), 'flowlog-victim.js');

export async function killInMidLoad(directory: string, target: DatabaseTarget, afterMs: number): Promise<void> {
  const victim = spawn(process.execPath, [VICTIM, directory, JSON.stringify(target)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const reports: { at: number; count: number }[] = [];
  victim.stdout.setEncoding('utf8').on('data', (text: string) => {
    reports.push({ at: performance.now(), count: Number(text.trim().split('\n').at(-1)) });
  });
  const ended = new Promise((resolve) => victim.once('exit', resolve));
  await sleep(afterMs);
  const killedAt = performance.now();
  victim.kill('SIGKILL');
  await ended;
  const promised = reports.findLast(({ at }) => at < killedAt - 1_000)?.count ?? 0;
  const written = reports.at(-1)?.count ?? 0;
  assert.ok(promised > 500, `${promised} flows before the last second`);

  const { log } = await openLog(directory, target);
  await until(
    () => log.status().spoolBytes === 0,
    () => 'all is stored',
    60_000,
  );
  await log.close();
  const reader = await openReader(target);
  const rows = await reader.database
    .selectFrom('anabranch.flows')
    .select('id')
    .where('id', 'like', 'victim-%')
    .orderBy('id')
    .execute();
  await reader.close();
  const numbers = rows.map(({ id }) => Number(id.slice('victim-'.length)));
  assert.ok(
    numbers.length >= promised && numbers.length <= written + 40,
    `${promised} ≤ ${numbers.length} ≤ ${written}`,
  );
  assert.deepEqual(
    numbers,
    Array.from({ length: numbers.length }, (_, n) => n + 1),
  );
}
