// The server of every workload, run inside a host: does for each connection what its first bytes ask for, checks what is
// sent to it, and reports at the end.

import { Acceptor } from '../../dataplane/acceptor.ts';
import { Connection } from '../../dataplane/connection.ts';
import { EventLoop } from '../../dataplane/event-loop.ts';
import { isListenError, type Listener, openListener } from '../../socket/listen.ts';
import { acceptedIsMptcp } from '../../socket/mptcp.ts';
import { monotonicMs } from '../measures/clock.ts';
import { Arrivals } from './arrivals.ts';
import type { ServerJob, ServerLine, ServerReport } from './job.ts';
import { Payload } from './payload.ts';
import { onStop, readJob, writeLine } from './program.ts';
import { ServedFlow, type ServerBook } from './served-flow.ts';
import type { WorkloadError } from './workload.ts';

const LISTED_MAX = 100;
/** Uploads of one bulk workload; those of shorter exchanges need no list. */
const UPLOADS_MAX = 256;

function main(): void {
  const job = readJob<ServerJob>();
  const listener = listen(job);
  if (listener === undefined) return;
  const loop = new EventLoop(() => undefined);
  const payload = new Payload(job.key);
  const errors: WorkloadError[] = [];
  const corrupt: { flow: number; firstBadOffset: number }[] = [];
  const uploads: { flow: number; arrivals: Arrivals }[] = [];
  const book: ServerBook = {
    arrivals: new Arrivals(monotonicMs()),
    openUpload(flow) {
      const arrivals = new Arrivals(monotonicMs());
      if (uploads.length < UPLOADS_MAX) uploads.push({ flow, arrivals });
      return arrivals;
    },
    onCorrupt(flow, firstBadOffset) {
      if (corrupt.length < LISTED_MAX) corrupt.push({ flow, firstBadOffset });
    },
    onError(code, message, flow) {
      if (errors.length < LISTED_MAX) errors.push({ code, message, atMs: monotonicMs(), flow });
    },
  };
  new Acceptor(loop, listener.fd, {
    onAccept(fd) {
      const isMptcp = listener.isMptcp && acceptedIsMptcp(fd);
      new ServedFlow(loop, payload, book, (handler) => new Connection(loop, fd, isMptcp, handler));
    },
    onShortage: (errno) => book.onError('EMFILE', `the server has no descriptors left (errno ${errno})`, undefined),
  });
  onStop(loop, () => loop.stop());
  say({ kind: 'listening', port: listener.local.port });
  loop.run();
  const { bytes, series, longestGap, lastMs } = book.arrivals;
  const report: ServerReport = {
    bytes,
    series,
    longestGap,
    lastByteMs: lastMs,
    corrupt,
    errors,
    uploads: uploads.map(({ flow, arrivals }) => ({
      flow,
      bytes: arrivals.bytes,
      longestGapMs: arrivals.longestGap.ms,
      firstByteMs: arrivals.firstMs,
    })),
  };
  say({ kind: 'report', report });
}

/** On all addresses of both families, else of IPv4; says why when it fails. */
function listen({ port, transport, socket }: ServerJob): Listener | undefined {
  const options = { port, transport, shared: false, fastOpen: false, socket };
  let failure: unknown;
  for (const address of ['::', '0.0.0.0']) {
    try {
      return openListener({ address, ...options });
    } catch (error) {
      if (!isListenError(error)) throw error;
      failure ??= error;
      // A host without IPv6 refuses the family or the address; other refusals would come again.
      if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(error.code)) break;
    }
  }
  const { code, message } = failure as { code: string; message: string };
  say({ kind: 'failed', code, message });
  return undefined;
}

function say(line: ServerLine): void {
  writeLine(line);
}

main();
