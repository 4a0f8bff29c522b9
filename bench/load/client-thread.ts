// The load client: one epoll thread that plays one role through one route until it is told to stop.

import { parentPort, workerData } from 'node:worker_threads';
import { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { Ask } from './ask.ts';
import { Bulk } from './bulk.ts';
import { Churn } from './churn.ts';
import { closeAllDialled, type Route } from './dialled.ts';
import { Hold } from './hold.ts';
import { Probe } from './probe.ts';
import { SharedCounts } from './shared.ts';

export interface ClientTask {
  readonly route: Route;
  readonly role: 'upload' | 'download' | 'churn' | 'ask' | 'hold' | 'probe';
  /** At the same time. `hold` follows the count `wanted` instead, `probe` has one. */
  readonly connections: number;
}

const { memory, task } = workerData as { memory: SharedArrayBuffer; task: ClientTask };
const counts = new SharedCounts(memory);
let hold: Hold | undefined;
const loop = new EventLoop(() => {
  if (counts.get('stop') === 1) loop.stop();
  hold?.grow();
});

const { route, connections } = task;
parentPort?.postMessage({ kind: 'ready', wakeFd: loop.wakeFd, ports: [] });
if (task.role === 'upload' || task.role === 'download') {
  new Bulk(loop, route, counts, connections, task.role === 'upload');
} else if (task.role === 'churn') new Churn(loop, route, counts, connections);
else if (task.role === 'ask') new Ask(loop, route, counts, connections);
else if (task.role === 'probe') new Probe(loop, route, counts);
else hold = new Hold(loop, route, counts);
loop.run();
closeAllDialled();
