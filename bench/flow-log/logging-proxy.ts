// The proxy as a process, with a flow log that can be given more records than its connections would make.

import { threadId, Worker } from 'node:worker_threads';
import { parseConfig } from '#anabranch/config/parse.js';
import type { FlowEntry } from '#anabranch/flowlog/entry.js';
import { FlowLog } from '#anabranch/flowlog/flow-log.js';
import { ProxyService } from '#anabranch/proxy/service.js';

export interface ProxySetup {
  readonly port: number;
  readonly serverPort: number;
  readonly database: string;
  readonly spool: string;
}

export type ToProxy = { readonly kind: 'rate'; readonly perSecond: number } | { readonly kind: 'status' };

export interface ProxyStatus {
  readonly taken: number;
  readonly stored: number;
  readonly lost: number;
  readonly waiting: number;
  readonly queueBytes: number;
}

const SPOOL_BYTES_MAX = 1 << 30;
const RETENTION_MS = 30 * 86_400_000;

const { port, serverPort, database, spool } = JSON.parse(process.argv[2] as string) as ProxySetup;
const inbounds = [
  { type: 'forward', listen: `127.0.0.1:${port}`, transport: 'tcp', target: `127.0.0.1:${serverPort}` },
];
const text = JSON.stringify({ log: 'off', workers: 1, inbounds });
const parsed = parseConfig(text, { fileName: 'benchmark', defaults: { workers: 1, admin: undefined } });
if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.faults));
const say = (code: string, message: string) => process.stderr.write(`${code}: ${message}\n`);

const log = await FlowLog.open({
  target: { kind: 'postgres', url: database },
  spoolDirectory: spool,
  spoolBytesMax: SPOOL_BYTES_MAX,
  retentionMs: RETENTION_MS,
  gateway: 'bench',
  onNotice: (_, code, message) => say(code, message),
});
const service = await ProxyService.start(parsed.config, {
  log: { info: () => {}, warn: say, error: say },
  sink: { write: (records) => log.write(records), close: () => log.close() },
  onCrash: (error) => {
    throw error;
  },
});
const run = `${process.pid}-${threadId}`;
const feeder = new Worker(new URL('./feeder-thread.js', import.meta.url), { workerData: { run } });
feeder.on('message', (records: FlowEntry[]) => log.write(records));

process.on('message', (message: ToProxy) => {
  if (message.kind === 'rate') return feeder.postMessage(message.perSecond);
  const { taken, stored, lost, waiting, queue } = log.status();
  const status: ProxyStatus = {
    taken,
    stored,
    lost,
    waiting: waiting.entries + queue.entries,
    queueBytes: queue.bytes,
  };
  process.send?.(status);
});
process.once('disconnect', () => void service.stop(0).then(() => process.exit(0)));
process.send?.('ready');
