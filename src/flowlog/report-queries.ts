// What reports ask of the log beyond queries.ts: distributions and series, summed up in the database so that a million
// flows cost a scan or two and no memory here. Filters are parameters.

import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { FlowFilter } from './queries.ts';
import type { Tables } from './tables.ts';

type Database = Kysely<Tables>;

export interface Overview {
  readonly flows: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly firstStartedAt: number | null;
  readonly lastEndedAt: number | null;
  /** Ended in order with a silence of `silenceMs` or more. */
  readonly silent: number;
}

export async function overview(database: Database, filter: FlowFilter, silenceMs: number): Promise<Overview> {
  const { rows } = await sql<Overview>`
    SELECT
      count(*)::float8 AS "flows",
      coalesce(sum(f.bytes_up), 0)::float8 AS "bytesUp",
      coalesce(sum(f.bytes_down), 0)::float8 AS "bytesDown",
      ${msOf('min(f.started_at)')} AS "firstStartedAt",
      ${msOf('max(f.ended_at)')} AS "lastEndedAt",
      (count(*) FILTER (WHERE f.end_reason = 'done' AND f.longest_stall_ms >= ${silenceMs}::float8))::float8 AS "silent"
    FROM anabranch.flows f WHERE ${whereOf(filter)}`.execute(database);
  return rows[0] as Overview;
}

const DIMENSIONS = ['end', 'clientMptcp', 'serverMptcp', 'working'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface DimensionShare {
  readonly dimension: Dimension;
  readonly name: string | null;
  readonly flows: number;
  readonly bytes: number;
}

/** Flows by how they ended, how each side travelled, and how many subflows carried payload (0, 1, 2 for more); one scan. */
export async function breakdown(database: Database, filter: FlowFilter): Promise<readonly DimensionShare[]> {
  const { rows } = await sql<Omit<DimensionShare, 'dimension'> & { which: number }>`
    SELECT CASE WHEN grouping(e) = 0 THEN 0 WHEN grouping(c) = 0 THEN 1 WHEN grouping(s) = 0 THEN 2 ELSE 3 END AS "which",
      CASE WHEN grouping(e) = 0 THEN e WHEN grouping(c) = 0 THEN c WHEN grouping(s) = 0 THEN s ELSE w END AS "name",
      count(*)::float8 AS "flows", sum(bytes)::float8 AS "bytes"
    FROM (
      SELECT f.end_reason AS e, f.client_mptcp AS c, f.server_mptcp AS s,
        least(greatest(f.client_subflows, f.server_subflows), 2)::text AS w, f.bytes_up + f.bytes_down AS bytes
      FROM anabranch.flows f WHERE ${whereOf(filter)}
    ) v
    GROUP BY GROUPING SETS ((e), (c), (s), (w)) ORDER BY 3 DESC, 2`.execute(database);
  return rows.map(({ which, name, flows, bytes }) => ({
    dimension: DIMENSIONS[which] as Dimension,
    name,
    flows,
    bytes,
  }));
}

export interface Bins {
  /** Flows by bin; -1 holds the values below 1. */
  readonly durations: ReadonlyMap<number, number>;
  readonly volumes: ReadonlyMap<number, number>;
  readonly connects: ReadonlyMap<number, number>;
  readonly stalls: ReadonlyMap<number, number>;
  readonly cells: readonly { readonly duration: number; readonly volume: number; readonly flows: number }[];
}

interface BinRow {
  readonly which: number;
  readonly x: number | null;
  readonly y: number | null;
  readonly flows: number;
}

/** On a log scale with so many bins to a decade, and duration against volume with `cellsPerDecade`; one scan. */
export async function binned(
  database: Database,
  filter: FlowFilter,
  { binsPerDecade, cellsPerDecade }: { readonly binsPerDecade: number; readonly cellsPerDecade: number },
): Promise<Bins> {
  const bin = (expression: string) => {
    const value = sql.raw(`(${expression})::float8`);
    return sql`CASE WHEN ${value} < 1 THEN -1 ELSE floor(log(${value}) * ${sql.lit(binsPerDecade)})::integer END`;
  };
  const cell = (name: 'd' | 'v') =>
    sql`floor(${sql.raw(name)} / ${sql.lit(binsPerDecade / cellsPerDecade)}::float8)::integer`;
  const { rows } = await sql<BinRow>`
    SELECT CASE WHEN grouping(d) = 0 THEN 0 WHEN grouping(v) = 0 THEN 1 WHEN grouping(c) = 0 THEN 2
        WHEN grouping(s) = 0 THEN 3 ELSE 4 END AS "which",
      CASE WHEN grouping(d) = 0 THEN d WHEN grouping(v) = 0 THEN v WHEN grouping(c) = 0 THEN c
        WHEN grouping(s) = 0 THEN s ELSE dd END AS "x", vv AS "y", count(*)::float8 AS "flows"
    FROM (
      SELECT d, v, c, s, ${cell('d')} AS dd, ${cell('v')} AS vv
      FROM (
        SELECT ${bin('f.duration_ms')} AS d, ${bin('f.bytes_up + f.bytes_down')} AS v,
          CASE WHEN f.connected_ms IS NOT NULL THEN ${bin('f.connected_ms - coalesce(f.requested_ms, 0)')} END AS c,
          ${bin('f.longest_stall_ms')} AS s
        FROM anabranch.flows f WHERE ${whereOf(filter)}
        -- a barrier, or the planner would work out each logarithm again for its cell
        OFFSET 0
      ) b
    ) e
    GROUP BY GROUPING SETS ((d), (v), (c), (s), (dd, vv))`.execute(database);
  const histogram = (which: number) =>
    new Map(
      rows.flatMap((row): [number, number][] => (row.which === which && row.x !== null ? [[row.x, row.flows]] : [])),
    );
  const cells = rows.flatMap(({ which, x, y, flows }) =>
    which === 4 && x !== null && y !== null ? [{ duration: x, volume: y, flows }] : [],
  );
  return { durations: histogram(0), volumes: histogram(1), connects: histogram(2), stalls: histogram(3), cells };
}

/** Flows that ended in order though a subflow that had carried payload closed before. */
export async function survivedSubflowLoss(database: Database, filter: FlowFilter): Promise<number> {
  const { rows } = await sql<{ flows: number }>`
    SELECT count(*)::float8 AS "flows" FROM anabranch.flows f
    WHERE ${whereOf(filter)} AND f.end_reason = 'done' AND EXISTS (
      SELECT FROM anabranch.subflows s
      WHERE s.flow_id = f.id AND s.ended_at = f.ended_at AND s.closed AND s.bytes_sent + s.bytes_received > 0
    )`.execute(database);
  return rows[0]?.flows ?? 0;
}

export interface NotableFlow {
  readonly id: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly durationMs: number;
  readonly inbound: string;
  readonly outbound: string | null;
  readonly client: string | null;
  readonly user: string | null;
  readonly destinationHost: string | null;
  readonly destinationPort: number | null;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly longestStallMs: number;
  readonly end: string;
  readonly clientMptcp: string | null;
  readonly serverMptcp: string | null;
  readonly clientSubflows: number;
  readonly serverSubflows: number;
}

const RANKS = {
  duration: sql`f.duration_ms`,
  bytes: sql`f.bytes_up + f.bytes_down`,
  stall: sql`f.longest_stall_ms`,
} as const;

/** The greatest first. */
export async function notable(
  database: Database,
  by: keyof typeof RANKS,
  filter: FlowFilter,
  limit: number,
): Promise<readonly NotableFlow[]> {
  const { rows } = await sql<NotableFlow>`
    SELECT f.id AS "id", ${msOf('f.started_at')} AS "startedAt", ${msOf('f.ended_at')} AS "endedAt",
      f.duration_ms AS "durationMs", f.inbound AS "inbound", f.outbound AS "outbound",
      host(f.client_address) AS "client", f.user_name AS "user",
      f.destination_host AS "destinationHost", f.destination_port AS "destinationPort",
      f.bytes_up AS "bytesUp", f.bytes_down AS "bytesDown", f.longest_stall_ms AS "longestStallMs",
      f.end_reason AS "end", f.client_mptcp AS "clientMptcp", f.server_mptcp AS "serverMptcp",
      f.client_subflows AS "clientSubflows", f.server_subflows AS "serverSubflows"
    FROM (
      -- chosen first, or every flow's times would be worked out for the sake of ten
      SELECT * FROM anabranch.flows f WHERE ${whereOf(filter)} ORDER BY ${RANKS[by]} DESC, f.id LIMIT ${limit}
    ) f
    ORDER BY ${RANKS[by]} DESC, f.id`.execute(database);
  return rows;
}

export interface PathStep {
  readonly path: string;
  readonly at: number;
  readonly bytes: number;
  readonly rttMs: number | null;
}

export interface Steps {
  readonly stepMs: number;
  readonly pathsMax: number;
  /** What the paths beyond `pathsMax` are called together. */
  readonly others: string;
}

/**
 * What the paths carried, from the flows: the bytes of each subflow spread evenly over its flow's life, its round-trip
 * time in the step in which that ended. The paths are those of the side that spoke MPTCP: by our address towards the
 * server, by the client's towards the client.
 */
export async function pathStepsOfFlows(
  database: Database,
  filter: FlowFilter,
  { stepMs, pathsMax, others }: Steps,
): Promise<readonly PathStep[]> {
  const step = sql`${stepMs}::float8`;
  const { rows } = await sql<PathStep>`
    WITH carried AS MATERIALIZED (
      SELECT host(CASE s.side WHEN 'server' THEN s.local_address ELSE s.remote_address END) AS path,
        extract(epoch FROM f.started_at)::float8 * 1000 AS began, greatest(f.duration_ms, 1)::float8 AS lasted,
        (s.bytes_sent + s.bytes_received)::float8 AS bytes, s.rtt_ms::float8 AS rtt
      FROM anabranch.flows f JOIN anabranch.subflows s ON s.flow_id = f.id AND s.ended_at = f.ended_at
      WHERE ${whereOf(filter)} AND s.bytes_sent + s.bytes_received > 0
        AND s.side = CASE WHEN f.server_mptcp = 'mptcp' OR f.client_mptcp IS DISTINCT FROM 'mptcp'
          THEN 'server' ELSE 'client' END
    ), busiest AS (
      SELECT path FROM carried WHERE path IS NOT NULL GROUP BY path ORDER BY sum(bytes) DESC, path LIMIT ${pathsMax}
    )
    SELECT coalesce(b.path, ${others}::text) AS "path", n * ${step} AS "at",
      sum(c.bytes * greatest(0, least(c.began + c.lasted, (n + 1) * ${step}) - greatest(c.began, n * ${step})) / c.lasted)
        ::float8 AS "bytes",
      avg(c.rtt) FILTER (WHERE n = floor((c.began + c.lasted) / ${step}))::float8 AS "rttMs"
    FROM carried c LEFT JOIN busiest b ON b.path = c.path,
      generate_series(floor(c.began / ${step})::bigint, floor((c.began + c.lasted) / ${step})::bigint) n
    GROUP BY 1, 2 ORDER BY 2, 1`.execute(database);
  return rows;
}

/** What the paths carried, as sampled every second: all flows, for samples know none. */
export async function pathStepsOfSamples(
  database: Database,
  { since, until, gateway }: { readonly since: number; readonly until: number; readonly gateway: string | undefined },
  { stepMs, pathsMax, others }: Steps,
): Promise<readonly PathStep[]> {
  const step = sql`${stepMs}::float8`;
  const { rows } = await sql<PathStep>`
    WITH taken AS MATERIALIZED (
      SELECT p.path, floor(extract(epoch FROM p.at)::float8 * 1000 / ${step}) * ${step} AS at,
        sum(p.bytes_sent + p.bytes_received)::float8 AS bytes, avg(p.rtt_ms)::float8 AS rtt
      FROM anabranch.path_samples p
      WHERE p.at >= ${timeOf(since)} AND p.at <= ${timeOf(until)} AND ${ofGateway('p', gateway)}
      GROUP BY 1, 2
    ), busiest AS (
      SELECT path FROM taken GROUP BY path ORDER BY sum(bytes) DESC, path LIMIT ${pathsMax}
    )
    SELECT coalesce(b.path, ${others}::text) AS "path", t.at AS "at", sum(t.bytes)::float8 AS "bytes",
      avg(t.rtt)::float8 AS "rttMs"
    FROM taken t LEFT JOIN busiest b ON b.path = t.path GROUP BY 1, 2 ORDER BY 2, 1`.execute(database);
  return rows;
}

export interface Milestones {
  readonly requestedMs: number | null;
  readonly connectedMs: number | null;
  readonly firstByteUpMs: number | null;
  readonly firstByteDownMs: number | null;
}

/** Since the flow's start. */
export async function milestones(database: Database, id: string): Promise<Milestones | undefined> {
  const { rows } = await sql<Milestones>`
    SELECT requested_ms AS "requestedMs", connected_ms AS "connectedMs",
      first_byte_up_ms AS "firstByteUpMs", first_byte_down_ms AS "firstByteDownMs"
    FROM anabranch.flows WHERE id = ${id} LIMIT 1`.execute(database);
  return rows[0];
}

function whereOf(filter: FlowFilter): RawBuilder<unknown> {
  const { since, until, destination, client, user, end, gateway, inbound, outbound } = filter;
  const conditions = [
    since === undefined ? undefined : sql`f.ended_at >= ${timeOf(since)}`,
    until === undefined ? undefined : sql`f.ended_at < ${timeOf(until)}`,
    destination === undefined ? undefined : sql`f.destination_host = ${destination}`,
    client === undefined ? undefined : sql`f.client_address <<= ${client}::inet`,
    user === undefined ? undefined : sql`f.user_name = ${user}`,
    end === undefined ? undefined : sql`f.end_reason = ${end}`,
    gateway === undefined ? undefined : ofGateway('f', gateway),
    inbound === undefined ? undefined : sql`f.inbound = ${inbound}`,
    outbound === undefined ? undefined : sql`f.outbound = ${outbound}`,
  ].filter((condition) => condition !== undefined);
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `);
}

function ofGateway(table: 'f' | 'p', gateway: string | undefined): RawBuilder<unknown> {
  if (gateway === undefined) return sql`true`;
  return sql`${sql.raw(table)}.gateway_id = (SELECT id FROM anabranch.gateways WHERE name = ${gateway})`;
}

function timeOf(ms: number): RawBuilder<Date> {
  return sql<Date>`to_timestamp(${ms}::float8 / 1000)`;
}

/** `expression` is our own SQL. Rounded, for a float of seconds is not exact to the millisecond. */
function msOf(expression: string): RawBuilder<number> {
  return sql<number>`round(extract(epoch FROM ${sql.raw(expression)})::numeric * 1000)::float8`;
}
