// The schema as a row of migrations, in plain SQL that PostgreSQL 12 and PGlite both take. One that was released is
// never changed; the next one is added below it. All tables live in the schema `anabranch`, so that they get along with
// whatever else the database holds.
//
// Every table that grows is partitioned by day (partitions.ts), so its unique keys hold the time.

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

const FLOWS = `
CREATE TABLE anabranch.gateways (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE
);

CREATE TABLE anabranch.flows (
  id text NOT NULL,
  ended_at timestamptz NOT NULL,
  gateway_id integer NOT NULL,
  started_at timestamptz NOT NULL,
  inbound text NOT NULL,
  outbound text,
  client_address inet,
  client_port integer,
  user_name text,
  destination_host text,
  destination_port integer,
  reached_address inet,
  reached_port integer,
  -- since started_at
  requested_ms bigint,
  connected_ms bigint,
  first_byte_up_ms bigint,
  first_byte_down_ms bigint,
  duration_ms bigint NOT NULL,
  bytes_up bigint NOT NULL,
  bytes_down bigint NOT NULL,
  longest_stall_ms bigint NOT NULL,
  end_reason text NOT NULL,
  detail text,
  -- mptcp, or why not
  client_mptcp text,
  server_mptcp text,
  -- subflows that carried payload
  client_subflows smallint NOT NULL,
  server_subflows smallint NOT NULL,
  PRIMARY KEY (ended_at, id)
) PARTITION BY RANGE (ended_at);

CREATE INDEX flows_id ON anabranch.flows (id);
CREATE INDEX flows_destination ON anabranch.flows (destination_host, ended_at);
CREATE INDEX flows_client ON anabranch.flows (client_address, ended_at);
CREATE INDEX flows_gateway ON anabranch.flows (gateway_id, ended_at);
CREATE INDEX flows_end_reason ON anabranch.flows (end_reason, ended_at) WHERE end_reason <> 'done';

CREATE TABLE anabranch.subflows (
  flow_id text NOT NULL,
  ended_at timestamptz NOT NULL, -- of the flow
  gateway_id integer NOT NULL,
  side text NOT NULL CHECK (side IN ('client', 'server')),
  ordinal smallint NOT NULL,
  subflow_id bigint NOT NULL,
  local_address inet,
  local_port integer,
  remote_address inet,
  remote_port integer,
  bytes_sent bigint NOT NULL,
  bytes_received bigint NOT NULL,
  rtt_ms real,
  retransmits bigint NOT NULL,
  congestion_window bigint NOT NULL,
  backup boolean,
  closed boolean NOT NULL,
  PRIMARY KEY (ended_at, flow_id, side, ordinal)
) PARTITION BY RANGE (ended_at);

CREATE VIEW anabranch.proxy_logs AS
SELECT
  flows.id AS log_id,
  started_at AS start_time,
  ended_at AS end_time,
  duration_ms / 1000.0 AS duration_seconds,
  host(client_address) AS client_address,
  client_port,
  destination_host,
  destination_port,
  bytes_up AS bytes_sent,
  bytes_down AS bytes_received,
  inbound,
  outbound,
  user_name,
  end_reason,
  gateways.name AS gateway
FROM anabranch.flows
JOIN anabranch.gateways ON gateways.id = flows.gateway_id;
`;

const PATHS_AND_EVENTS = `
CREATE TABLE anabranch.path_samples (
  at timestamptz NOT NULL,
  gateway_id integer NOT NULL,
  path text NOT NULL,
  run text NOT NULL, -- of the proxy: two of one gateway do not mix
  subflows integer NOT NULL,
  bytes_sent bigint NOT NULL,
  bytes_received bigint NOT NULL,
  rtt_ms real,
  retransmits bigint NOT NULL,
  PRIMARY KEY (at, gateway_id, path, run)
) PARTITION BY RANGE (at);

CREATE TABLE anabranch.events (
  id text NOT NULL,
  at timestamptz NOT NULL,
  gateway_id integer NOT NULL,
  kind text NOT NULL,
  path text,
  flow_id text,
  message text,
  data jsonb,
  PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);

CREATE INDEX events_kind ON anabranch.events (kind, at);
CREATE INDEX events_flow ON anabranch.events (flow_id) WHERE flow_id IS NOT NULL;
`;

const CONGESTION = `
ALTER TABLE anabranch.flows
  ADD COLUMN client_congestion text, -- what was chosen while the connection lived, and why: 'bbr: …'
  ADD COLUMN server_congestion text;
`;

/** In order; a version is its place. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'flows and subflows', sql: FLOWS },
  { version: 2, name: 'path samples and events', sql: PATHS_AND_EVENTS },
  { version: 3, name: 'congestion control chosen for a flow', sql: CONGESTION },
];
