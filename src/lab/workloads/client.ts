// The client of every workload, run inside a host.

import { EventLoop } from '../../dataplane/event-loop.ts';
import { BulkDriver } from './bulk.ts';
import { ClientRun, type Driver } from './client-run.ts';
import { ConnectCloseDriver } from './connect-close.ts';
import type { ClientJob } from './job.ts';
import { PageDriver } from './page.ts';
import { PingPongDriver } from './ping-pong.ts';
import { onStop, readJob } from './program.ts';
import { StreamDriver } from './stream.ts';
import { WorkloadErrorCode } from './workload.ts';

function main(): void {
  const job = readJob<ClientJob>();
  const loop = new EventLoop(() => undefined);
  const run = new ClientRun(loop, job);
  onStop(loop, () => run.giveUp(WorkloadErrorCode.aborted, 'it was stopped'));
  run.start(createDriver(run, job));
  loop.run();
}

function createDriver(run: ClientRun, { task }: ClientJob): Driver {
  switch (task.kind) {
    case 'bulk':
      return new BulkDriver(run, task);
    case 'ping-pong':
      return new PingPongDriver(run, task);
    case 'connect-close':
      return new ConnectCloseDriver(run, task);
    case 'stream':
      return new StreamDriver(run, task);
    case 'page':
      return new PageDriver(run, task);
  }
}

main();
