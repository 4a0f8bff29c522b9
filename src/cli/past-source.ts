// The log as the dashboard shows it. The reader is opened when it is first asked, and anew when it has failed.

import type { LogTarget } from '../config/config.ts';
import type { PastFlowView, PastPage, PastQuery, PastSource, PictureView } from '../dashboard/source.ts';
import type { Cursor, FlowRow } from '../flowlog/queries.ts';
import type { FlowLogReader } from '../flowlog/reader.ts';
import type { ReportLogTarget } from '../report/report-log.ts';
import { formatHostPort } from '../wire/destination.ts';
import { targetOf } from './log-place.ts';

const PAGE = 50;

/** `undefined`: the configuration keeps no log that could be read. */
export function pastOf(log: LogTarget): PastSource | undefined {
  if (log.kind === 'file') return createPastSource(log);
  return log.kind === 'database' ? createPastSource(targetOf(log.database)) : undefined;
}

function createPastSource(target: ReportLogTarget): PastSource {
  const draw = async (request: { since?: number | undefined; flow?: string }): Promise<readonly PictureView[]> => {
    const { drawReportPlots } = await import('../report/draw-report-plots.ts');
    const { since, flow } = request;
    return (await drawReportPlots({ log: target, filter: { since }, words: [], flow })).plots;
  };
  return {
    list: target.kind === 'file' ? undefined : pagesOf(target),
    report: (since) => draw({ since }),
    timeLine: (flow) => draw({ flow }),
  };
}

function pagesOf(target: Exclude<ReportLogTarget, { kind: 'file' }>): (query: PastQuery) => Promise<PastPage> {
  let opening: Promise<FlowLogReader> | undefined;
  const open = async (): Promise<FlowLogReader> => {
    const { openReader } = await import('../flowlog/reader.ts');
    return openReader(target);
  };
  return async ({ search, since, after }) => {
    const { listFlows } = await import('../flowlog/queries.ts');
    opening ??= open();
    const mine = opening;
    try {
      const { database } = await mine;
      const { flows, cursor } = await listFlows(database, { search, since }, { limit: PAGE, after: cursorOf(after) });
      return { flows: flows.map(viewOf), next: cursor === undefined ? '' : `${cursor.endedAt} ${cursor.id}` };
    } catch (error) {
      if (opening === mine) opening = undefined;
      void mine.then((reader) => reader.close()).catch(() => {});
      throw error;
    }
  };
}

function cursorOf(text: string | undefined): Cursor | undefined {
  const [, endedAt, id] = /^(\d{1,15}) (\S+)$/.exec(text ?? '') ?? [];
  return endedAt === undefined || id === undefined ? undefined : { endedAt: Number(endedAt), id };
}

function viewOf(flow: FlowRow): PastFlowView {
  const { id, startedAt, endedAt, inbound, bytesUp, bytesDown, longestStallMs, end } = flow;
  return {
    id,
    startedAt,
    endedAt,
    inbound,
    outbound: flow.outbound ?? '',
    client: flow.clientAddress ?? '',
    user: flow.user ?? '',
    destination: flow.destinationHost === null ? '' : formatHostPort(flow.destinationHost, flow.destinationPort ?? 0),
    bytesUp,
    bytesDown,
    longestStallMs,
    end,
    subflows: Math.max(
      flow.clientMptcp === 'mptcp' ? flow.clientSubflows : 0,
      flow.serverMptcp === 'mptcp' ? flow.serverSubflows : 0,
    ),
  };
}
