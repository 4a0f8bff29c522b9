// Batches to rows. Each table takes one statement: the columns travel as arrays and unnest() turns them into rows, which
// is fast on PostgreSQL and PGlite alike. Values are parameters throughout: nothing from the network becomes SQL.
// A row that is there already is left as it is, so that a batch may come twice.

import { isIP } from 'node:net';
import type { Endpoint } from '../wire/destination.ts';
import type { Queryable } from './database.ts';
import type { Batch, EventEntry, FlowEntry, PathSampleEntry, SideEntry, SubflowEntry } from './entry.ts';

/** What every row of one log has in common. */
export interface Origin {
  /** Of anabranch.gateways. */
  readonly gatewayId: number;
  /** Names this run of the proxy. */
  readonly run: string;
}

interface Column<Row> {
  readonly name: string;
  /** Of the parameter, an array of it. */
  readonly type: 'text' | 'inet' | 'integer' | 'bigint' | 'smallint' | 'real' | 'boolean' | 'jsonb' | 'milliseconds';
  readonly of: (row: Row) => unknown;
}

interface SubflowRow {
  readonly flow: FlowEntry;
  readonly side: 'client' | 'server';
  readonly ordinal: number;
  readonly subflow: SubflowEntry;
}

// Times are whole milliseconds: readers ask again with what they were told.
const FLOW_COLUMNS: readonly Column<FlowEntry>[] = [
  { name: 'id', type: 'text', of: ({ id }) => clean(id) },
  { name: 'ended_at', type: 'milliseconds', of: ({ endedAt }) => Math.floor(endedAt) },
  { name: 'started_at', type: 'milliseconds', of: ({ acceptedAt }) => Math.floor(acceptedAt) },
  { name: 'inbound', type: 'text', of: ({ inbound }) => clean(inbound) },
  { name: 'outbound', type: 'text', of: ({ outbound }) => clean(outbound) },
  { name: 'client_address', type: 'inet', of: ({ client }) => addressOf(client) },
  { name: 'client_port', type: 'integer', of: ({ client }) => whole(client?.port) },
  { name: 'user_name', type: 'text', of: ({ user }) => clean(user) },
  { name: 'destination_host', type: 'text', of: ({ asked }) => clean(asked?.host) },
  { name: 'destination_port', type: 'integer', of: ({ asked }) => whole(asked?.port) },
  { name: 'reached_address', type: 'inet', of: ({ reached }) => addressOf(reached) },
  { name: 'reached_port', type: 'integer', of: ({ reached }) => whole(reached?.port) },
  { name: 'requested_ms', type: 'bigint', of: (flow) => since(flow, flow.requestedAt) },
  { name: 'connected_ms', type: 'bigint', of: (flow) => since(flow, flow.connectedAt) },
  { name: 'first_byte_up_ms', type: 'bigint', of: (flow) => since(flow, flow.firstByteUpAt) },
  { name: 'first_byte_down_ms', type: 'bigint', of: (flow) => since(flow, flow.firstByteDownAt) },
  { name: 'duration_ms', type: 'bigint', of: (flow) => since(flow, flow.endedAt) },
  { name: 'bytes_up', type: 'bigint', of: ({ bytesUp }) => whole(bytesUp) ?? 0 },
  { name: 'bytes_down', type: 'bigint', of: ({ bytesDown }) => whole(bytesDown) ?? 0 },
  { name: 'longest_stall_ms', type: 'bigint', of: ({ longestStallMs }) => whole(longestStallMs) ?? 0 },
  { name: 'end_reason', type: 'text', of: ({ end }) => clean(end) },
  { name: 'detail', type: 'text', of: ({ detail }) => clean(detail) },
  { name: 'client_mptcp', type: 'text', of: ({ clientSide }) => clean(clientSide?.mptcp) },
  { name: 'server_mptcp', type: 'text', of: ({ serverSide }) => clean(serverSide?.mptcp) },
  { name: 'client_congestion', type: 'text', of: ({ clientSide }) => congestionOf(clientSide) },
  { name: 'server_congestion', type: 'text', of: ({ serverSide }) => congestionOf(serverSide) },
  { name: 'client_subflows', type: 'smallint', of: ({ clientSide }) => working(clientSide) },
  { name: 'server_subflows', type: 'smallint', of: ({ serverSide }) => working(serverSide) },
];

const SUBFLOW_COLUMNS: readonly Column<SubflowRow>[] = [
  { name: 'flow_id', type: 'text', of: ({ flow }) => clean(flow.id) },
  { name: 'ended_at', type: 'milliseconds', of: ({ flow }) => Math.floor(flow.endedAt) },
  { name: 'side', type: 'text', of: ({ side }) => side },
  { name: 'ordinal', type: 'smallint', of: ({ ordinal }) => ordinal },
  { name: 'subflow_id', type: 'bigint', of: ({ subflow }) => whole(subflow.id) ?? 0 },
  { name: 'local_address', type: 'inet', of: ({ subflow }) => addressOf(subflow.local) },
  { name: 'local_port', type: 'integer', of: ({ subflow }) => whole(subflow.local?.port) },
  { name: 'remote_address', type: 'inet', of: ({ subflow }) => addressOf(subflow.remote) },
  { name: 'remote_port', type: 'integer', of: ({ subflow }) => whole(subflow.remote?.port) },
  { name: 'bytes_sent', type: 'bigint', of: ({ subflow }) => whole(subflow.bytesSent) ?? 0 },
  { name: 'bytes_received', type: 'bigint', of: ({ subflow }) => whole(subflow.bytesReceived) ?? 0 },
  { name: 'rtt_ms', type: 'real', of: ({ subflow }) => subflow.rttMs ?? null },
  { name: 'retransmits', type: 'bigint', of: ({ subflow }) => whole(subflow.retransmits) ?? 0 },
  { name: 'congestion_window', type: 'bigint', of: ({ subflow }) => whole(subflow.congestionWindow) ?? 0 },
  { name: 'backup', type: 'boolean', of: ({ subflow }) => subflow.backup ?? null },
  { name: 'closed', type: 'boolean', of: ({ subflow }) => subflow.closed === true },
];

const SAMPLE_COLUMNS: readonly Column<PathSampleEntry>[] = [
  { name: 'at', type: 'milliseconds', of: ({ at }) => Math.floor(at / 1000) * 1000 },
  { name: 'path', type: 'text', of: ({ path }) => clean(path) },
  { name: 'subflows', type: 'integer', of: ({ subflows }) => whole(subflows) ?? 0 },
  { name: 'bytes_sent', type: 'bigint', of: ({ bytesSent }) => whole(bytesSent) ?? 0 },
  { name: 'bytes_received', type: 'bigint', of: ({ bytesReceived }) => whole(bytesReceived) ?? 0 },
  { name: 'rtt_ms', type: 'real', of: ({ rttMs }) => rttMs ?? null },
  { name: 'retransmits', type: 'bigint', of: ({ retransmits }) => whole(retransmits) ?? 0 },
];

const EVENT_COLUMNS: readonly Column<EventEntry>[] = [
  { name: 'id', type: 'text', of: ({ id }) => clean(id) },
  { name: 'at', type: 'milliseconds', of: ({ at }) => Math.floor(at) },
  { name: 'kind', type: 'text', of: ({ kind }) => clean(kind) },
  { name: 'path', type: 'text', of: ({ path }) => clean(path) },
  { name: 'flow_id', type: 'text', of: ({ flowId }) => clean(flowId) },
  { name: 'message', type: 'text', of: ({ message }) => clean(message) },
  // jsonb refuses \u0000 as text does.
  {
    name: 'data',
    type: 'jsonb',
    of: ({ data }) => (data === undefined ? null : JSON.stringify(data, (_, value) => cleanJson(value))),
  },
];

/** Call inside a transaction: a flow then appears with its subflows, or not at all. */
export async function insertBatch(database: Queryable, batch: Batch, origin: Origin): Promise<void> {
  const { gatewayId, run } = origin;
  await insert(database, 'flows', FLOW_COLUMNS, batch.flows, { gateway_id: gatewayId });
  await insert(database, 'subflows', SUBFLOW_COLUMNS, batch.flows.flatMap(subflowsOf), { gateway_id: gatewayId });
  await insert(database, 'path_samples', SAMPLE_COLUMNS, batch.samples, { gateway_id: gatewayId, run });
  await insert(database, 'events', EVENT_COLUMNS, batch.events, { gateway_id: gatewayId });
}

/** Types that travel as another one, and how they are made of it. */
const TRAVELS_AS: Readonly<Record<string, string>> = { milliseconds: 'double precision', jsonb: 'text' };
const VALUES: Readonly<Record<string, (name: string) => string>> = {
  milliseconds: (name) => `to_timestamp(${name} / 1000)`,
  jsonb: (name) => `${name}::jsonb`,
};

async function insert<Row>(
  database: Queryable,
  table: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  same: Readonly<Record<string, number | string>>,
): Promise<void> {
  if (rows.length === 0) return;
  const names = columns.map(({ name }) => name);
  const constants = Object.entries(same).map(
    ([, value], index) => `$${columns.length + index + 1}::${typeof value === 'number' ? 'integer' : 'text'}`,
  );
  const values = columns.map(({ name, type }) => VALUES[type]?.(name) ?? name);
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${TRAVELS_AS[type] ?? type}[]`);
  const sql =
    `INSERT INTO anabranch.${table} (${[...names, ...Object.keys(same)].join(', ')}) ` +
    `SELECT ${[...values, ...constants].join(', ')} FROM unnest(${arrays.join(', ')}) AS entries (${names.join(', ')}) ` +
    'ON CONFLICT DO NOTHING';
  const parameters = columns.map(({ of }) => rows.map(of));
  await database.query(sql, [...parameters, ...Object.values(same)]);
}

function subflowsOf(flow: FlowEntry): SubflowRow[] {
  const rows = (side: 'client' | 'server', entry: SideEntry | undefined) =>
    (entry?.subflows ?? []).map((subflow, ordinal) => ({ flow, side, ordinal, subflow }));
  return [...rows('client', flow.clientSide), ...rows('server', flow.serverSide)];
}

function congestionOf(side: SideEntry | undefined): string | null {
  const chosen = side?.congestion;
  return chosen === undefined ? null : clean(`${chosen.name}: ${chosen.why}`);
}

function working(side: SideEntry | undefined): number {
  return (side?.subflows ?? []).filter(({ bytesSent, bytesReceived }) => bytesSent + bytesReceived > 0).length;
}

/** PostgreSQL's text holds every character but NUL, and no half of a surrogate pair. */
function clean(text: string | undefined): string | null {
  if (text === undefined || text === null) return null;
  return String(text).replace(/\0|\p{Surrogate}/gu, '\ufffd');
}

function cleanJson(value: unknown): unknown {
  return typeof value === 'string' ? clean(value) : value;
}

/** Without the zone of a link-local address, which inet does not know. */
function addressOf(endpoint: Endpoint | undefined): string | null {
  const address = endpoint?.address?.replace(/%.*$/, '') ?? '';
  return isIP(address) === 0 ? null : address;
}

function since(flow: FlowEntry, at: number | undefined): number | null {
  return at === undefined ? null : Math.max(0, Math.round(at - flow.acceptedAt));
}

function whole(value: number | undefined): number | null {
  return Number.isFinite(value) ? Math.round(value as number) : null;
}
