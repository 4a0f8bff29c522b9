// The tables as Kysely knows them: what readers use of them.

import type { Generated } from 'kysely';

/** Times are read as milliseconds by the queries; to compare with them, give a Date. */
interface FlowsTable {
  id: string;
  ended_at: Date;
  gateway_id: number;
  started_at: Date;
  inbound: string;
  outbound: string | null;
  client_address: string | null;
  client_port: number | null;
  user_name: string | null;
  destination_host: string | null;
  destination_port: number | null;
  reached_address: string | null;
  reached_port: number | null;
  requested_ms: number | null;
  connected_ms: number | null;
  first_byte_up_ms: number | null;
  first_byte_down_ms: number | null;
  duration_ms: number;
  bytes_up: number;
  bytes_down: number;
  longest_stall_ms: number;
  end_reason: string;
  detail: string | null;
  client_mptcp: string | null;
  server_mptcp: string | null;
  client_congestion: string | null;
  server_congestion: string | null;
  client_subflows: number;
  server_subflows: number;
}

interface SubflowsTable {
  flow_id: string;
  ended_at: Date;
  gateway_id: number;
  side: 'client' | 'server';
  ordinal: number;
  subflow_id: number;
  local_address: string | null;
  local_port: number | null;
  remote_address: string | null;
  remote_port: number | null;
  bytes_sent: number;
  bytes_received: number;
  rtt_ms: number | null;
  retransmits: number;
  congestion_window: number;
  backup: boolean | null;
  closed: boolean;
}

interface PathSamplesTable {
  at: Date;
  gateway_id: number;
  path: string;
  run: string;
  subflows: number;
  bytes_sent: number;
  bytes_received: number;
  rtt_ms: number | null;
  retransmits: number;
}

interface EventsTable {
  id: string;
  at: Date;
  gateway_id: number;
  kind: string;
  path: string | null;
  flow_id: string | null;
  message: string | null;
  data: unknown;
}

export interface Tables {
  'anabranch.gateways': { id: Generated<number>; name: string };
  'anabranch.flows': FlowsTable;
  'anabranch.subflows': SubflowsTable;
  'anabranch.path_samples': PathSamplesTable;
  'anabranch.events': EventsTable;
}
