// `anabranch top`: the dashboard's essentials in the terminal.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { readPaths } from '../dashboard/interfaces.ts';
import type { FlowStatus } from '../proxy/flow-status.ts';
import { askAdmin, defaultAdminPath } from './admin-client.ts';
import { renderTop, type TopReading } from './top-screen.ts';

const INTERVAL_MS = 1_000;
const FLOWS_MOST = 1_000;
/** When the output is no terminal: what fits a page. */
const PLAIN_SIZE = { columns: 120, rows: 40 };

export function register(program: Command): void {
  program
    .command('top')
    .summary('watch paths and connections in the terminal')
    .description(
      'Shows the rate of each path and the busiest connections, once a second, until ^C. Piped, it shows one reading.',
    )
    .option('--admin <path>', 'admin socket of the running anabranch', defaultAdminPath())
    .addHelpText('after', '\nExamples:\n  anabranch top\n  anabranch top | head -20\n')
    .action(async ({ admin }: { admin: string }) => {
      if (process.stdout.isTTY) await watch(admin);
      else await showOnce(admin);
    });
}

async function read(admin: string): Promise<TopReading> {
  const status = (await askAdmin(admin, 'GET', '/status')) as Pick<TopReading, 'version' | 'counters'>;
  const { flows } = (await askAdmin(admin, 'GET', `/flows?most=${FLOWS_MOST}`)) as { flows: FlowStatus[] };
  return { at: performance.now(), version: status.version, counters: status.counters, flows, paths: await readPaths() };
}

async function showOnce(admin: string): Promise<void> {
  const before = await read(admin);
  await sleep(INTERVAL_MS);
  process.stdout.write(`${renderTop(await read(admin), before, PLAIN_SIZE).join('\n')}\n`);
}

async function watch(admin: string): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  let before: TopReading | undefined;
  // The alternate screen, without a cursor: what stood there before comes back at the end.
  process.stdout.write('\x1b[?1049h\x1b[?25l');
  try {
    while (!stop.signal.aborted) {
      const reading = await read(admin);
      const { columns = PLAIN_SIZE.columns, rows = PLAIN_SIZE.rows } = process.stdout;
      const lines = renderTop(reading, before, { columns, rows: rows - 1 });
      process.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
      before = reading;
      await sleep(INTERVAL_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    process.stdout.write('\x1b[?25h\x1b[?1049l');
  }
}
