// Flows as comma-separated values (RFC 4180), one line each.

import type { ReportFlow } from './report.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

const COLUMNS: readonly (readonly [string, (flow: ReportFlow) => string | number | undefined])[] = [
  ['id', ({ id }) => id],
  ['start_time', ({ startedAt }) => iso(startedAt)],
  ['end_time', ({ endedAt }) => iso(endedAt)],
  ['duration_seconds', ({ durationMs }) => durationMs / 1000],
  ['inbound', ({ inbound }) => inbound],
  ['outbound', ({ outbound }) => outbound],
  ['client_address', ({ client }) => client],
  ['user_name', ({ user }) => user],
  ['destination_host', ({ destinationHost }) => destinationHost],
  ['destination_port', ({ destinationPort }) => destinationPort],
  ['bytes_sent', ({ bytesUp }) => bytesUp],
  ['bytes_received', ({ bytesDown }) => bytesDown],
  ['longest_stall_seconds', ({ longestStallMs }) => longestStallMs / 1000],
  ['end_reason', ({ end }) => end],
  ['client_mptcp', ({ clientMptcp }) => clientMptcp],
  ['server_mptcp', ({ serverMptcp }) => serverMptcp],
  ['client_subflows', ({ clientSubflows }) => clientSubflows],
  ['server_subflows', ({ serverSubflows }) => serverSubflows],
];

export const CSV_HEAD = `${COLUMNS.map(([name]) => name).join(',')}\r\n`;

export function csvLine(flow: ReportFlow): string {
  return `${COLUMNS.map(([, of]) => cell(of(flow))).join(',')}\r\n`;
}

function cell(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  // A spreadsheet takes such a text for a formula, and a formula can reach out; the apostrophe makes it a text.
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
