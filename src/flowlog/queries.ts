// What reports and the dashboard ask of the log. Everything is summed up in the database; a list has a bound. Filters
// are parameters: what the network has named things stays data.

import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Tables } from './tables.ts';

/** Times in milliseconds since 1970: `since` inclusive, `until` exclusive. What is not given does not filter. */
export interface FlowFilter {
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly destination?: string | undefined;
  /** An address, or a network in CIDR notation. */
  readonly client?: string | undefined;
  readonly user?: string | undefined;
  readonly end?: string | undefined;
  readonly gateway?: string | undefined;
  readonly inbound?: string | undefined;
  readonly outbound?: string | undefined;
  /** Part of the destination's name, the user's or the client's address, whatever the case. */
  readonly search?: string | undefined;
}

export interface FlowRow {
  readonly id: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly durationMs: number;
  readonly gateway: string;
  readonly inbound: string;
  readonly outbound: string | null;
  readonly clientAddress: string | null;
  readonly clientPort: number | null;
  readonly user: string | null;
  readonly destinationHost: string | null;
  readonly destinationPort: number | null;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly longestStallMs: number;
  readonly end: string;
  readonly detail: string | null;
  readonly clientMptcp: string | null;
  readonly serverMptcp: string | null;
  readonly clientSubflows: number;
  readonly serverSubflows: number;
}

export interface Cursor {
  readonly endedAt: number;
  readonly id: string;
}

export interface FlowTotals {
  readonly flows: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** With at least one side that used two subflows or more. */
  readonly pooled: number;
  readonly failed: number;
  readonly firstStartedAt: number | null;
  readonly lastEndedAt: number | null;
  readonly longestStallMs: number | null;
}

export interface Share {
  readonly name: string | null;
  readonly flows: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

type Database = Kysely<Tables>;

const PAGE_MAX = 1_000;
const SERIES_MAX = 100_000;

const FLOW_COLUMNS = sql`
  f.id AS "id",
  ${msOf('f.started_at')} AS "startedAt",
  ${msOf('f.ended_at')} AS "endedAt",
  f.duration_ms AS "durationMs",
  g.name AS "gateway",
  f.inbound AS "inbound",
  f.outbound AS "outbound",
  host(f.client_address) AS "clientAddress",
  f.client_port AS "clientPort",
  f.user_name AS "user",
  f.destination_host AS "destinationHost",
  f.destination_port AS "destinationPort",
  f.bytes_up AS "bytesUp",
  f.bytes_down AS "bytesDown",
  f.longest_stall_ms AS "longestStallMs",
  f.end_reason AS "end",
  f.detail AS "detail",
  f.client_mptcp AS "clientMptcp",
  f.server_mptcp AS "serverMptcp",
  f.client_subflows AS "clientSubflows",
  f.server_subflows AS "serverSubflows"`;

const SEARCHED = sql`lower(concat_ws(' ', f.destination_host, f.user_name, host(f.client_address)))`;
const FLOWS = sql`anabranch.flows f JOIN anabranch.gateways g ON g.id = f.gateway_id`;

/** The latest first. The next page begins after the `cursor`, the last flow of this one; flows that end meanwhile do not shift it. */
export async function listFlows(
  database: Database,
  filter: FlowFilter,
  { limit = 100, after }: { readonly limit?: number; readonly after?: Cursor | undefined } = {},
): Promise<{ readonly flows: readonly FlowRow[]; readonly cursor: Cursor | undefined }> {
  const most = Math.max(1, Math.min(limit, PAGE_MAX));
  const behind =
    after === undefined ? sql`true` : sql`(f.ended_at, f.id) < (${timeOf(after.endedAt)}, ${after.id}::text)`;
  const { rows } = await sql<FlowRow>`
    SELECT ${FLOW_COLUMNS} FROM ${FLOWS} WHERE ${whereOf(filter)} AND ${behind}
    ORDER BY f.ended_at DESC, f.id DESC LIMIT ${most}`.execute(database);
  const last = rows.at(-1);
  const cursor = last === undefined || rows.length < most ? undefined : { endedAt: last.endedAt, id: last.id };
  return { flows: rows, cursor };
}

export async function totals(database: Database, filter: FlowFilter): Promise<FlowTotals> {
  const { rows } = await sql<FlowTotals>`
    SELECT
      count(*)::float8 AS "flows",
      coalesce(sum(f.bytes_up), 0)::float8 AS "bytesUp",
      coalesce(sum(f.bytes_down), 0)::float8 AS "bytesDown",
      (count(*) FILTER (WHERE greatest(f.client_subflows, f.server_subflows) >= 2))::float8 AS "pooled",
      (count(*) FILTER (WHERE f.end_reason <> 'done'))::float8 AS "failed",
      ${msOf('min(f.started_at)')} AS "firstStartedAt",
      ${msOf('max(f.ended_at)')} AS "lastEndedAt",
      max(f.longest_stall_ms)::float8 AS "longestStallMs"
    FROM ${FLOWS} WHERE ${whereOf(filter)}`.execute(database);
  return rows[0] as FlowTotals;
}

/** What flows can be grouped by, and the SQL that says so. */
const GROUPS = {
  destination: sql`f.destination_host`,
  client: sql`host(f.client_address)`,
  user: sql`f.user_name`,
  end: sql`f.end_reason`,
  gateway: sql`g.name`,
  outbound: sql`f.outbound`,
  clientMptcp: sql`f.client_mptcp`,
  serverMptcp: sql`f.server_mptcp`,
  serverSubflows: sql`least(f.server_subflows, 2)::text`,
} as const;
export type Grouping = keyof typeof GROUPS;

/** The largest first, by `order`. */
export async function shares(
  database: Database,
  by: Grouping,
  filter: FlowFilter,
  { limit = 20, order = 'bytes' }: { readonly limit?: number; readonly order?: 'bytes' | 'flows' } = {},
): Promise<readonly Share[]> {
  const rank = order === 'flows' ? sql`count(*)` : sql`sum(f.bytes_up + f.bytes_down)`;
  const { rows } = await sql<Share>`
    SELECT ${GROUPS[by]} AS "name", count(*)::float8 AS "flows",
      sum(f.bytes_up)::float8 AS "bytesUp", sum(f.bytes_down)::float8 AS "bytesDown"
    FROM ${FLOWS} WHERE ${whereOf(filter)}
    GROUP BY 1 ORDER BY ${rank} DESC, 1 LIMIT ${Math.max(1, Math.min(limit, PAGE_MAX))}`.execute(database);
  return rows;
}

const MEASURES = {
  duration: sql`f.duration_ms`,
  stall: sql`f.longest_stall_ms`,
  connect: sql`f.connected_ms - f.requested_ms`,
  firstByte: sql`f.first_byte_down_ms`,
  bytes: sql`f.bytes_up + f.bytes_down`,
} as const;
export type Measure = keyof typeof MEASURES;

/** Linear between neighbours (percentile_cont); undefined when there is no flow. `quantiles` are from 0 to 1. */
export async function percentiles(
  database: Database,
  measure: Measure,
  quantiles: readonly number[],
  filter: FlowFilter,
): Promise<readonly number[] | undefined> {
  const list = sql.join(quantiles.map((quantile) => sql`${quantile}::float8`));
  const { rows } = await sql<{ values: number[] | null }>`
    SELECT percentile_cont(ARRAY[${list}]) WITHIN GROUP (ORDER BY (${MEASURES[measure]})::float8) AS "values"
    FROM ${FLOWS} WHERE ${whereOf(filter)}`.execute(database);
  return rows[0]?.values ?? undefined;
}

/** How many flows lie in each of `buckets` classes of equal width on a log scale, from `from` to `to`. */
export async function logHistogram(
  database: Database,
  measure: Measure,
  { from, to, buckets }: { readonly from: number; readonly to: number; readonly buckets: number },
  filter: FlowFilter,
): Promise<readonly number[]> {
  const value = sql`ln(greatest((${MEASURES[measure]})::float8, ${from}::float8))`;
  const { rows } = await sql<{ bucket: number; flows: number }>`
    SELECT least(greatest(
      width_bucket(${value}, ln(${from}::float8), ln(${to}::float8), ${buckets}::integer), 1), ${buckets}::integer) AS "bucket",
      count(*)::float8 AS "flows"
    FROM ${FLOWS} WHERE ${whereOf(filter)} AND ${MEASURES[measure]} IS NOT NULL GROUP BY 1`.execute(database);
  const counts = new Array<number>(buckets).fill(0);
  for (const { bucket, flows } of rows) counts[bucket - 1] = flows;
  return counts;
}

export interface PathPoint {
  readonly path: string;
  /** Begin of the step. */
  readonly at: number;
  /** Within the step. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly retransmits: number;
  readonly rttMs: number | null;
  readonly subflowsMax: number;
}

/** What each path carried, in steps of `stepMs` (whole seconds); steps without a sample are left out. */
export async function pathSeries(
  database: Database,
  {
    since,
    until,
    stepMs,
    gateway,
  }: {
    readonly since: number;
    readonly until: number;
    readonly stepMs: number;
    readonly gateway?: string | undefined;
  },
): Promise<readonly PathPoint[]> {
  const step = Math.max(1_000, stepMs);
  const at = sql`floor(extract(epoch FROM s.at)::float8 * 1000 / ${step}::float8) * ${step}::float8`;
  const { rows } = await sql<PathPoint>`
    SELECT s.path AS "path", ${at} AS "at",
      sum(s.bytes_sent)::float8 AS "bytesSent", sum(s.bytes_received)::float8 AS "bytesReceived",
      sum(s.retransmits)::float8 AS "retransmits", avg(s.rtt_ms)::float8 AS "rttMs", max(s.subflows) AS "subflowsMax"
    FROM anabranch.path_samples s JOIN anabranch.gateways g ON g.id = s.gateway_id
    WHERE s.at >= ${timeOf(since)} AND s.at < ${timeOf(until)}
      AND ${gateway === undefined ? sql`true` : sql`g.name = ${gateway}`}
    GROUP BY 1, 2 ORDER BY 2, 1 LIMIT ${SERIES_MAX}`.execute(database);
  return rows;
}

export interface EventRow {
  readonly id: string;
  readonly at: number;
  readonly gateway: string;
  readonly kind: string;
  readonly path: string | null;
  readonly flowId: string | null;
  readonly message: string | null;
  readonly data: unknown;
}

const EVENTS = sql`
  SELECT e.id AS "id", ${msOf('e.at')} AS "at", g.name AS "gateway", e.kind AS "kind", e.path AS "path",
    e.flow_id AS "flowId", e.message AS "message", e.data AS "data"
  FROM anabranch.events e JOIN anabranch.gateways g ON g.id = e.gateway_id`;

/** The latest first. */
export async function listEvents(
  database: Database,
  {
    since,
    until,
    kind,
    limit = 100,
  }: {
    readonly since: number;
    readonly until: number;
    readonly kind?: string | undefined;
    readonly limit?: number;
  },
): Promise<readonly EventRow[]> {
  const { rows } = await sql<EventRow>`
    ${EVENTS} WHERE e.at >= ${timeOf(since)} AND e.at < ${timeOf(until)}
      AND ${kind === undefined ? sql`true` : sql`e.kind = ${kind}`}
    ORDER BY e.at DESC, e.id DESC LIMIT ${Math.max(1, Math.min(limit, PAGE_MAX))}`.execute(database);
  return rows;
}

export interface SubflowRow {
  readonly side: 'client' | 'server';
  readonly ordinal: number;
  readonly subflowId: number;
  readonly localAddress: string | null;
  readonly localPort: number | null;
  readonly remoteAddress: string | null;
  readonly remotePort: number | null;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly rttMs: number | null;
  readonly retransmits: number;
  readonly congestionWindow: number;
  readonly backup: boolean | null;
  readonly closed: boolean;
}

export interface FlowDetail {
  readonly flow: FlowRow;
  readonly subflows: readonly SubflowRow[];
  readonly events: readonly EventRow[];
}

/** One flow with all that is known of it. */
export async function findFlow(database: Database, id: string): Promise<FlowDetail | undefined> {
  const found = await sql<FlowRow>`SELECT ${FLOW_COLUMNS} FROM ${FLOWS} WHERE f.id = ${id} LIMIT 1`.execute(database);
  const flow = found.rows[0];
  if (flow === undefined) return undefined;
  const subflows = await sql<SubflowRow>`
    SELECT side AS "side", ordinal AS "ordinal", subflow_id AS "subflowId",
      host(local_address) AS "localAddress", local_port AS "localPort",
      host(remote_address) AS "remoteAddress", remote_port AS "remotePort",
      bytes_sent AS "bytesSent", bytes_received AS "bytesReceived", rtt_ms::float8 AS "rttMs",
      retransmits AS "retransmits", congestion_window AS "congestionWindow", backup AS "backup", closed AS "closed"
    FROM anabranch.subflows WHERE flow_id = ${id} AND ended_at = ${timeOf(flow.endedAt)}
    ORDER BY side, ordinal`.execute(database);
  const events = await sql<EventRow>`
    ${EVENTS} WHERE e.flow_id = ${id} ORDER BY e.at, e.id LIMIT ${PAGE_MAX}`.execute(database);
  return { flow, subflows: subflows.rows, events: events.rows };
}

function whereOf(filter: FlowFilter): RawBuilder<unknown> {
  const conditions = [
    filter.since === undefined ? undefined : sql`f.ended_at >= ${timeOf(filter.since)}`,
    filter.until === undefined ? undefined : sql`f.ended_at < ${timeOf(filter.until)}`,
    filter.destination === undefined ? undefined : sql`f.destination_host = ${filter.destination}`,
    filter.client === undefined ? undefined : sql`f.client_address <<= ${filter.client}::inet`,
    filter.user === undefined ? undefined : sql`f.user_name = ${filter.user}`,
    filter.end === undefined ? undefined : sql`f.end_reason = ${filter.end}`,
    filter.gateway === undefined ? undefined : sql`g.name = ${filter.gateway}`,
    filter.inbound === undefined ? undefined : sql`f.inbound = ${filter.inbound}`,
    filter.outbound === undefined ? undefined : sql`f.outbound = ${filter.outbound}`,
    filter.search === undefined ? undefined : sql`strpos(${SEARCHED}, lower(${filter.search}::text)) > 0`,
  ].filter((condition) => condition !== undefined);
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `);
}

/** As it was written, so that a time read comes back as the same time. */
function timeOf(ms: number): RawBuilder<Date> {
  return sql<Date>`to_timestamp(${ms}::float8 / 1000)`;
}

/** `expression` is our own SQL. Rounded, for a float of seconds is not exact to the millisecond. */
function msOf(expression: string): RawBuilder<number> {
  return sql<number>`round(extract(epoch FROM ${sql.raw(expression)})::numeric * 1000)::float8`;
}
