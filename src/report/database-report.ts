// The figures of a report, from a database log.

import type { Kysely } from 'kysely';
import { z } from 'zod';
import {
  type Cursor,
  type EventRow,
  type FlowFilter,
  findFlow,
  listEvents,
  listFlows,
  type SubflowRow,
} from '../flowlog/queries.ts';
import * as queries from '../flowlog/report-queries.ts';
import type { Tables } from '../flowlog/tables.ts';
import { formatHostPort } from '../wire/destination.ts';
import { type FlowDetail, FlowNotFoundError, isOnPath, milestonesOf, type Subflow } from './flow-detail.ts';
import { BINS_PER_DECADE, topBegin } from './histogram.ts';
import {
  CELLS_PER_DECADE,
  EmptyReportError,
  EVENTS_MAX,
  OTHERS,
  PATHS_MAX,
  type PathsOverTime,
  type Report,
  type ReportEvent,
  type ReportFlow,
  type Share,
  SILENCE_MS,
  stepFor,
  TOP,
} from './report.ts';

type Database = Kysely<Tables>;

export interface ReportRequest {
  /** Where it is from, without secrets. */
  readonly source: string;
  readonly filter: FlowFilter;
  /** The filter in words. */
  readonly words: readonly string[];
}

/** Rejects with an EmptyReportError, or with the database's error. */
export async function reportOfDatabase(database: Database, { source, filter, words }: ReportRequest): Promise<Report> {
  const survey = await queries.survey(database, filter, SILENCE_MS);
  if (survey === undefined) throw new EmptyReportError(source, words);
  const { flows, bytesUp, bytesDown, firstStartedAt, lastEndedAt, silent } = survey;
  const range = { since: filter.since ?? firstStartedAt, until: filter.until ?? lastEndedAt + 1 };
  const [{ bins, notables }, subflowLost, destinations, paths, events] = await Promise.all([
    distributions(database, filter),
    queries.survivedSubflowLoss(database, filter),
    queries.destinations(database, filter, TOP),
    pathsOverTime(database, filter, { firstStartedAt, lastEndedAt }),
    listEvents(database, { ...range, limit: EVENTS_MAX }),
  ]);
  const sharesOf = (dimension: queries.Dimension): Share[] => survey.shares[dimension].map(shareOf);
  const working = sharesOf('working');
  const workingOf = (name: string): Share =>
    working.find((share) => share.name === name) ?? { name, flows: 0, bytes: 0 };
  return {
    source,
    filter: words,
    flows,
    bytesUp,
    bytesDown,
    firstStartedAt,
    lastEndedAt,
    working: [workingOf('0'), workingOf('1'), workingOf('2')],
    ends: sharesOf('end'),
    clientSide: sharesOf('clientMptcp'),
    serverSide: sharesOf('serverMptcp'),
    survived: { subflowLost, silent },
    ...bins,
    destinations: destinations.map(shareOf),
    longest: notables.duration.map(flowOf),
    biggest: notables.bytes.map(flowOf),
    stalled: notables.stall.map(flowOf),
    paths,
    events: events.map(eventOf).reverse(),
    notes: events.length === EVENTS_MAX ? [`only the latest ${EVENTS_MAX} events are shown`] : [],
  };
}

async function distributions(database: Database, filter: FlowFilter) {
  const bins = await queries.binned(database, filter, {
    binsPerDecade: BINS_PER_DECADE,
    cellsPerDecade: CELLS_PER_DECADE,
  });
  const { durations, volumes, stalls } = bins;
  const atLeast = { duration: topBegin(durations, TOP), bytes: topBegin(volumes, TOP), stall: topBegin(stalls, TOP) };
  return { bins, notables: await queries.notables(database, filter, { limit: TOP, atLeast }) };
}

function shareOf({ name, flows, bytes }: queries.DimensionShare): Share {
  return { name: name ?? undefined, flows, bytes };
}

/** Samples know of no flows: where flows are chosen by more than time and gateway, the flows themselves must do. */
async function pathsOverTime(
  database: Database,
  filter: FlowFilter,
  { firstStartedAt, lastEndedAt }: { readonly firstStartedAt: number; readonly lastEndedAt: number },
): Promise<PathsOverTime> {
  const stepMs = stepFor(lastEndedAt - firstStartedAt);
  const steps = { stepMs, pathsMax: PATHS_MAX, others: OTHERS };
  const { since, until, gateway, ...choosing } = filter;
  const points = (rows: readonly queries.PathStep[]) =>
    rows.map(({ rttMs, ...row }) => ({ ...row, rttMs: rttMs ?? undefined }));
  if (Object.values(choosing).every((value) => value === undefined)) {
    const range = {
      since: Math.max(since ?? 0, firstStartedAt - 1_000),
      until: Math.min(until ?? lastEndedAt, lastEndedAt),
    };
    const rows = await queries.pathStepsOfSamples(database, { ...range, gateway }, steps);
    if (rows.length > 0) return { stepMs, basis: 'samples', points: points(rows) };
  }
  return { stepMs, basis: 'flows', points: points(await queries.pathStepsOfFlows(database, filter, steps)) };
}

/** Rejects with a FlowNotFoundError. */
export async function flowOfDatabase(database: Database, source: string, id: string): Promise<FlowDetail> {
  const [found, moments] = await Promise.all([findFlow(database, id), queries.milestones(database, id)]);
  if (found === undefined) throw new FlowNotFoundError(source, id);
  const { flow: row, subflows, events } = found;
  const flow = flowOf({ ...row, client: row.clientAddress });
  const lanes = subflows.map(subflowOf);
  const around = await listEvents(database, { since: flow.startedAt, until: flow.endedAt + 1, limit: EVENTS_MAX });
  const addresses = lanes.flatMap((lane) => lane.addresses);
  const own = new Set(events.map((event) => event.id));
  const ofPaths = around
    .filter(({ id, flowId }) => flowId === null && !own.has(id))
    .map(eventOf)
    .filter((event) => isOnPath(event, addresses));
  return {
    flow,
    milestones: milestonesOf({
      requestedMs: moments?.requestedMs ?? undefined,
      connectedMs: moments?.connectedMs ?? undefined,
      firstByteUpMs: moments?.firstByteUpMs ?? undefined,
      firstByteDownMs: moments?.firstByteDownMs ?? undefined,
    }),
    subflows: lanes,
    events: [...events.map(eventOf), ...ofPaths].sort((a, b) => a.at - b.at).slice(0, EVENTS_MAX),
  };
}

/** All flows, the latest first; a thousand at a time. */
export async function* flowsOfDatabase(database: Database, filter: FlowFilter): AsyncGenerator<ReportFlow> {
  let after: Cursor | undefined;
  do {
    const { flows, cursor } = await listFlows(database, filter, { limit: 1_000, after });
    for (const row of flows) yield flowOf({ ...row, client: row.clientAddress });
    after = cursor;
  } while (after !== undefined);
}

function flowOf(row: queries.NotableFlow): ReportFlow {
  const { id, startedAt, endedAt, durationMs, inbound, bytesUp, bytesDown, longestStallMs, end } = row;
  return {
    ...{ id, startedAt, endedAt, durationMs, inbound, bytesUp, bytesDown, longestStallMs, end },
    outbound: row.outbound ?? undefined,
    client: row.client ?? undefined,
    user: row.user ?? undefined,
    destinationHost: row.destinationHost ?? undefined,
    destinationPort: row.destinationPort ?? undefined,
    clientMptcp: row.clientMptcp ?? undefined,
    serverMptcp: row.serverMptcp ?? undefined,
    clientSubflows: row.clientSubflows,
    serverSubflows: row.serverSubflows,
  };
}

function subflowOf(row: SubflowRow): Subflow {
  const { localAddress, localPort, remoteAddress, remotePort } = row;
  return {
    side: row.side,
    local: endpointOf(localAddress, localPort),
    remote: endpointOf(remoteAddress, remotePort),
    addresses: [localAddress, remoteAddress].filter((address) => address !== null),
    bytesSent: row.bytesSent,
    bytesReceived: row.bytesReceived,
    rttMs: row.rttMs ?? undefined,
    retransmits: row.retransmits,
    backup: row.backup === true,
    closed: row.closed,
  };
}

function endpointOf(address: string | null, port: number | null): string {
  return address === null ? '?' : formatHostPort(address, port ?? 0);
}

function eventOf({ at, kind, path, message, data }: EventRow): ReportEvent {
  const { addresses } = pathData.safeParse(data).data ?? {};
  const of = addresses === undefined ? {} : { addresses };
  return { at, kind, path: path ?? undefined, ...of, message: message ?? undefined };
}

const pathData = z.object({ addresses: z.array(z.string()).max(64) });
