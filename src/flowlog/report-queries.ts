// What reports ask of the log beyond queries.ts: distributions and series, summed up in the database so that a million
// flows cost a few scans and no memory here. Filters are parameters. Times become numbers by date_part where there are
// many: EXTRACT gives a numeric since PostgreSQL 14, which takes some five times as long.

import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { FlowFilter } from './queries.ts';
import type { Tables } from './tables.ts';

type Database = Kysely<Tables>;

export interface Survey {
  readonly flows: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly firstStartedAt: number;
  readonly lastEndedAt: number;
  /** Ended in order with a silence of `silenceMs` or more. */
  readonly silent: number;
  /** The most flows first. */
  readonly shares: Readonly<Record<Dimension, readonly DimensionShare[]>>;
}

/** How flows ended, how each side travelled, how many subflows carried payload (0, 1, 2 for more). */
export type Dimension = 'end' | 'clientMptcp' | 'serverMptcp' | 'working';

export interface DimensionShare {
  readonly name: string | null;
  readonly flows: number;
  readonly bytes: number;
}

interface SurveyRow extends Readonly<Record<Dimension, string | null>> {
  readonly flows: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly firstStartedAt: number;
  readonly lastEndedAt: number;
  readonly silent: number;
}

/**
 * One scan, which the database can share among its processes, as it cannot with GROUPING SETS. All four dimensions have
 * few values, so there are few rows to add up here. Undefined when there is no flow.
 */
export async function survey(database: Database, filter: FlowFilter, silenceMs: number): Promise<Survey | undefined> {
  const { rows } = await sql<SurveyRow>`
    SELECT
      f.end_reason AS "end", f.client_mptcp AS "clientMptcp", f.server_mptcp AS "serverMptcp",
      least(greatest(f.client_subflows, f.server_subflows), 2)::text AS "working",
      count(*)::float8 AS "flows",
      sum(f.bytes_up)::float8 AS "bytesUp",
      sum(f.bytes_down)::float8 AS "bytesDown",
      ${msOf('min(f.started_at)')} AS "firstStartedAt",
      ${msOf('max(f.ended_at)')} AS "lastEndedAt",
      (count(*) FILTER (WHERE f.end_reason = 'done' AND f.longest_stall_ms >= ${silenceMs}::float8))::float8 AS "silent"
    FROM anabranch.flows f WHERE ${whereOf(filter)}
    GROUP BY f.end_reason, f.client_mptcp, f.server_mptcp, 4`.execute(database);
  if (rows.length === 0) return undefined;
  const sum = (of: (row: SurveyRow) => number): number => rows.reduce((all, row) => all + of(row), 0);
  return {
    flows: sum(({ flows }) => flows),
    bytesUp: sum(({ bytesUp }) => bytesUp),
    bytesDown: sum(({ bytesDown }) => bytesDown),
    firstStartedAt: Math.min(...rows.map(({ firstStartedAt }) => firstStartedAt)),
    lastEndedAt: Math.max(...rows.map(({ lastEndedAt }) => lastEndedAt)),
    silent: sum(({ silent }) => silent),
    shares: {
      end: sharesOf(rows, 'end'),
      clientMptcp: sharesOf(rows, 'clientMptcp'),
      serverMptcp: sharesOf(rows, 'serverMptcp'),
      working: sharesOf(rows, 'working'),
    },
  };
}

function sharesOf(rows: readonly SurveyRow[], dimension: Dimension): DimensionShare[] {
  const byName = new Map<string | null, DimensionShare>();
  for (const row of rows) {
    const name = row[dimension];
    const { flows, bytes } = byName.get(name) ?? { flows: 0, bytes: 0 };
    byName.set(name, { name, flows: flows + row.flows, bytes: bytes + row.bytesUp + row.bytesDown });
  }
  return [...byName.values()].sort((a, b) => b.flows - a.flows || ((a.name ?? '') < (b.name ?? '') ? -1 : 1));
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
export type Rank = keyof typeof RANKS;

/**
 * The `limit` greatest of each rank, the greatest first. `atLeast`: what they have at least, as the bins tell; so one scan
 * finds them all and sorts next to nothing.
 */
export async function notables(
  database: Database,
  filter: FlowFilter,
  { limit, atLeast }: { readonly limit: number; readonly atLeast: Readonly<Record<Rank, number>> },
): Promise<Readonly<Record<Rank, readonly NotableFlow[]>>> {
  const ranks = Object.keys(RANKS) as Rank[];
  const enough = ranks.map((rank) => sql`${RANKS[rank]} >= ${atLeast[rank]}::float8`);
  const greatest = ranks.map((rank) => {
    const order = sql`${RANKS[rank]} DESC, f.id`;
    return sql`SELECT * FROM (
      SELECT ${sql.lit(rank)} AS "rank", row_number() OVER (ORDER BY ${order}) AS "place", f.*
      FROM few f ORDER BY ${order} LIMIT ${limit}) ${sql.ref(rank)}`;
  });
  const { rows } = await sql<NotableFlow & { readonly rank: Rank }>`
    WITH few AS MATERIALIZED (
      SELECT f.* FROM anabranch.flows f WHERE ${whereOf(filter)} AND (${sql.join(enough, sql` OR `)})
    )
    SELECT f."rank", f.id AS "id", ${msOf('f.started_at')} AS "startedAt", ${msOf('f.ended_at')} AS "endedAt",
      f.duration_ms AS "durationMs", f.inbound AS "inbound", f.outbound AS "outbound",
      host(f.client_address) AS "client", f.user_name AS "user",
      f.destination_host AS "destinationHost", f.destination_port AS "destinationPort",
      f.bytes_up AS "bytesUp", f.bytes_down AS "bytesDown", f.longest_stall_ms AS "longestStallMs",
      f.end_reason AS "end", f.client_mptcp AS "clientMptcp", f.server_mptcp AS "serverMptcp",
      f.client_subflows AS "clientSubflows", f.server_subflows AS "serverSubflows"
    FROM (${sql.join(greatest, sql` UNION ALL `)}) f
    ORDER BY f."rank", f."place"`.execute(database);
  const of = (rank: Rank): NotableFlow[] => rows.filter((row) => row.rank === rank);
  return { duration: of('duration'), bytes: of('bytes'), stall: of('stall') };
}

export interface DestinationShare {
  readonly name: string | null;
  readonly flows: number;
  readonly bytes: number;
}

/** The largest first. */
export async function destinations(
  database: Database,
  filter: FlowFilter,
  limit: number,
): Promise<readonly DestinationShare[]> {
  const { rows } = await sql<DestinationShare>`
    SELECT f.destination_host AS "name", count(*)::float8 AS "flows", sum(f.bytes_up + f.bytes_down)::float8 AS "bytes"
    FROM anabranch.flows f WHERE ${whereOf(filter)}
    GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT ${limit}`.execute(database);
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
      SELECT address, began, lasted, bytes, rtt,
        floor(began / ${step})::bigint AS first, floor((began + lasted) / ${step})::bigint AS last
      FROM (
        SELECT CASE s.side WHEN 'server' THEN s.local_address ELSE s.remote_address END AS address,
          date_part('epoch', f.started_at) * 1000 AS began, greatest(f.duration_ms, 1)::float8 AS lasted,
          (s.bytes_sent + s.bytes_received)::float8 AS bytes, s.rtt_ms::float8 AS rtt
        FROM anabranch.flows f JOIN anabranch.subflows s ON s.flow_id = f.id AND s.ended_at = f.ended_at
        WHERE ${whereOf(filter)} AND s.bytes_sent + s.bytes_received > 0
          AND s.side = CASE WHEN f.server_mptcp = 'mptcp' OR f.client_mptcp IS DISTINCT FROM 'mptcp'
            THEN 'server' ELSE 'client' END
        OFFSET 0
      ) v
    ), spread AS (
      -- most flows lie within a step
      SELECT address, first AS n, sum(bytes) AS bytes, sum(rtt) AS rtts, count(rtt) AS samples
      FROM carried WHERE first = last GROUP BY 1, 2
      UNION ALL
      SELECT address, n,
        bytes * greatest(0, least(began + lasted, (n + 1) * ${step}) - greatest(began, n * ${step})) / lasted,
        CASE WHEN n = last THEN rtt END, CASE WHEN n = last AND rtt IS NOT NULL THEN 1 ELSE 0 END
      FROM carried, generate_series(first, last) n WHERE first < last
    ), busiest AS (
      SELECT address FROM spread WHERE address IS NOT NULL GROUP BY address
      ORDER BY sum(bytes) DESC, address LIMIT ${pathsMax}
    )
    SELECT coalesce(host(b.address), ${others}::text) AS "path", s.n * ${step} AS "at", sum(s.bytes)::float8 AS "bytes",
      (sum(s.rtts) / nullif(sum(s.samples), 0))::float8 AS "rttMs"
    FROM spread s LEFT JOIN busiest b ON b.address = s.address
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
      SELECT p.path, floor(date_part('epoch', p.at) * 1000 / ${step}) * ${step} AS at,
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
