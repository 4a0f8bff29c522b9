// One picture of `anabranch top`: paths with their rates, and the busiest connections. Pure: figures in, lines out.

import type { PathReading } from '../dashboard/source.ts';
import type { FlowStatus } from '../proxy/flow-status.ts';
import { formatHostPort } from '../wire/destination.ts';
import { formatBytes, formatRate } from './quantities.ts';

export interface TopReading {
  /** Milliseconds, monotonic. */
  readonly at: number;
  readonly version: string;
  readonly counters: Readonly<Record<string, number>>;
  readonly paths: readonly PathReading[];
  readonly flows: readonly FlowStatus[];
}

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const BAR_WIDTH = 24;
const STATES = { up: '', 'no-carrier': 'no link', down: 'off' };

/** At most `size.rows` lines of at most `size.columns` characters. `before`: the reading a moment ago. */
export function renderTop(reading: TopReading, before: TopReading | undefined, size: ScreenSize): string[] {
  const seconds = before === undefined ? 0 : (reading.at - before.at) / 1000;
  const perSecond = (now: number, then: number | undefined) =>
    then === undefined || seconds <= 0 ? 0 : Math.max(0, (now - then) / seconds);
  const { counters } = reading;
  const head =
    `anabranch ${reading.version}   ${counters.active ?? 0} connections   ` +
    `↓ ${formatRate(perSecond(counters.bytesDown ?? 0, before?.counters.bytesDown))}   ` +
    `↑ ${formatRate(perSecond(counters.bytesUp ?? 0, before?.counters.bytesUp))}`;
  const rates = reading.paths.map((path) => {
    const then = before?.paths.find(({ name }) => name === path.name);
    return { path, in: perSecond(path.bytesIn, then?.bytesIn), out: perSecond(path.bytesOut, then?.bytesOut) };
  });
  const most = Math.max(1, ...rates.map((rate) => rate.in + rate.out));
  const paths = rates.map((rate) => pathLine(rate.path, rate.in, rate.out, most));
  const flows = reading.flows
    .map((flow) => {
      const then = before?.flows.find(({ id }) => id === flow.id);
      const known = then === undefined ? undefined : then.bytesUp + then.bytesDown;
      return { flow, rate: perSecond(flow.bytesUp + flow.bytesDown, known) };
    })
    .sort((a, b) => b.rate - a.rate || b.flow.bytesDown - a.flow.bytesDown);
  const title = `${cell('DESTINATION', 36)}${cell('CLIENT', 24)}${cell('SUBFLOWS', 12)}${cell('RATE', 14)}${cell('DOWN', 11)}UP`;
  const lines = [head, '', ...paths, '', title, ...flows.map(({ flow, rate }) => flowLine(flow, rate))];
  return lines.slice(0, size.rows).map((line) => printable(line).slice(0, size.columns));
}

function pathLine(path: PathReading, rateIn: number, rateOut: number, most: number): string {
  const filled = Math.round(((rateIn + rateOut) / most) * BAR_WIDTH);
  const bar = '█'.repeat(filled) + '·'.repeat(BAR_WIDTH - filled);
  const state = STATES[path.state] || path.addresses[0] || 'no address';
  return `${cell(path.name, 12)}${bar}  ↓ ${cell(formatRate(rateIn), 14)}↑ ${cell(formatRate(rateOut), 14)}${state}`;
}

function flowLine(flow: FlowStatus, rate: number): string {
  const { asked, client } = flow;
  const destination = asked === undefined ? flow.phase : formatHostPort(asked.host, asked.port);
  const sides = [flow.clientSide, flow.serverSide].filter((side) => side?.mptcp === 'mptcp');
  const open = sides.flatMap((side) => side?.subflows ?? []).filter(({ closed }) => !closed).length;
  return (
    cell(destination, 36) +
    cell(formatHostPort(client.address, client.port), 24) +
    cell(sides.length === 0 ? 'TCP' : `${open} MPTCP`, 12) +
    cell(formatRate(rate), 14) +
    cell(formatBytes(flow.bytesDown), 11) +
    formatBytes(flow.bytesUp)
  );
}

/** Padded, or cut with an ellipsis, and a blank behind it. */
function cell(text: string, width: number): string {
  return `${text.length < width ? text : `${text.slice(0, width - 2)}…`}`.padEnd(width);
}

/** Names come from the network: nothing of them may steer the terminal. */
function printable(line: string): string {
  return line.replace(/\p{C}/gu, '?');
}
