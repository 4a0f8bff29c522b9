// The figures of a report, from a JSON-lines log: one pass, in bounded memory, whatever the file's size.

import type { FlowFilter } from '../flowlog/queries.ts';
import { isNetworkFault, parseNetwork } from '../routing/network.ts';
import { NetworkSet } from '../routing/network-set.ts';
import { canonicalIp } from '../wire/ip.ts';
import { type FlowDetail, FlowNotFoundError } from './flow-detail.ts';
import { detailOfLine, type FlowLine, flowOfLine, hasCarried, parseFlowLine, pathsOfLine } from './flow-line.ts';
import { BINS_PER_DECADE, binOf, ZERO_BIN } from './histogram.ts';
import { readLines } from './line-reader.ts';
import { PathSteps } from './path-steps.ts';
import {
  bytesOf,
  CELLS_PER_DECADE,
  type Cell,
  EmptyReportError,
  type Report,
  type ReportFlow,
  type Share,
  SILENCE_MS,
  TOP,
} from './report.ts';
import { NAMES_MAX, Tally } from './tally.ts';

/** A file is of one gateway, and is not searched. */
export type LinesFilter = Omit<FlowFilter, 'gateway' | 'search'>;

export interface LinesRequest {
  readonly path: string;
  readonly filter: LinesFilter;
  readonly words: readonly string[];
}

/** Rejects with an EmptyReportError, or with Node's error. */
export async function reportOfLines({ path, filter, words }: LinesRequest): Promise<Report> {
  const lines = new Lines(filter);
  for await (const text of readLines(path)) lines.add(text);
  return lines.report(path, words);
}

/** Of lines that are at hand. Throws an EmptyReportError. */
export function reportOfTexts(texts: Iterable<string>, source: string): Report {
  const lines = new Lines({});
  for (const text of texts) lines.add(text);
  return lines.report(source, []);
}

class Lines {
  readonly #gathering = new Gathering();
  readonly #matches: (line: FlowLine) => boolean;
  #unreadable = 0;

  constructor(filter: LinesFilter) {
    this.#matches = matcher(filter);
  }

  /** Undefined: one too long to be a flow. */
  add(text: string | undefined): void {
    if (text === '') return;
    const line = text === undefined ? undefined : parseFlowLine(text);
    if (line === undefined) this.#unreadable++;
    else if (this.#matches(line)) this.#gathering.add(line);
  }

  report(source: string, words: readonly string[]): Report {
    const unreadable = this.#unreadable;
    const notes =
      unreadable === 0 ? [] : [`${unreadable} ${unreadable === 1 ? 'line was' : 'lines were'} no flow and left out`];
    const report = this.#gathering.report({ source, filter: words, notes });
    if (report === undefined) throw new EmptyReportError(source, [...words, ...notes]);
    return report;
  }
}

/** Rejects with a FlowNotFoundError. */
export async function flowOfLines(path: string, id: string): Promise<FlowDetail> {
  for await (const text of readLines(path)) {
    // Parsing only what can be it.
    if (text === undefined || !text.includes(JSON.stringify(id))) continue;
    const line = parseFlowLine(text);
    if (line?.id === id) return detailOfLine(line);
  }
  throw new FlowNotFoundError(path, id);
}

/** In the file's order. */
export async function* flowsOfLines(path: string, filter: LinesFilter): AsyncGenerator<ReportFlow> {
  const matches = matcher(filter);
  for await (const text of readLines(path)) {
    const line = text === undefined ? undefined : parseFlowLine(text);
    if (line !== undefined && matches(line)) yield flowOfLine(line);
  }
}

function matcher(filter: LinesFilter): (line: FlowLine) => boolean {
  const { since, until, destination, client, user, end, inbound, outbound } = filter;
  const network = client === undefined || isNetworkFault(parseNetwork(client)) ? undefined : new NetworkSet([client]);
  const isOf = (address: string | undefined): boolean => {
    const canonical = canonicalIp(address?.replace(/%.*$/, '') ?? '');
    return canonical !== undefined && network?.has(canonical) === true;
  };
  const same = (wanted: string | undefined, is: string | undefined) => wanted === undefined || wanted === is;
  return (line) =>
    (since === undefined || line.endedAt >= since) &&
    (until === undefined || line.endedAt < until) &&
    same(destination, line.asked?.host) &&
    same(user, line.user) &&
    same(end, line.end) &&
    same(inbound, line.inbound) &&
    same(outbound, line.outbound) &&
    (client === undefined || isOf(line.client?.address));
}

/** The greatest by a measure. Bounded by TOP. */
class Top {
  readonly #flows: ReportFlow[] = [];
  readonly #measure: (flow: ReportFlow) => number;

  constructor(measure: (flow: ReportFlow) => number) {
    this.#measure = measure;
  }

  add(flow: ReportFlow): void {
    const least = this.#flows.at(-1);
    if (this.#flows.length === TOP && least !== undefined && this.#measure(flow) <= this.#measure(least)) return;
    this.#flows.push(flow);
    this.#flows.sort((a, b) => this.#measure(b) - this.#measure(a) || (a.id < b.id ? -1 : 1));
    this.#flows.length = Math.min(this.#flows.length, TOP);
  }

  flows(): readonly ReportFlow[] {
    return this.#flows.filter((flow) => this.#measure(flow) > 0);
  }
}

class Gathering {
  #flows = 0;
  #bytesUp = 0;
  #bytesDown = 0;
  #first = Number.POSITIVE_INFINITY;
  #last = 0;
  #subflowLost = 0;
  #silent = 0;
  // Bounded each by the decades of a number, or as their classes say.
  readonly #durations = new Map<number, number>();
  readonly #volumes = new Map<number, number>();
  readonly #connects = new Map<number, number>();
  readonly #stalls = new Map<number, number>();
  readonly #cells = new Map<string, number>();
  readonly #ends = new Tally(1_000);
  readonly #working = new Tally(3);
  readonly #clientSide = new Tally(1_000);
  readonly #serverSide = new Tally(1_000);
  readonly #destinations = new Tally();
  readonly #longest = new Top(({ durationMs }) => durationMs);
  readonly #biggest = new Top(bytesOf);
  readonly #stalled = new Top(({ longestStallMs }) => longestStallMs);
  readonly #paths = new PathSteps();

  add(line: FlowLine): void {
    const flow = flowOfLine(line);
    const bytes = bytesOf(flow);
    this.#flows++;
    this.#bytesUp += flow.bytesUp;
    this.#bytesDown += flow.bytesDown;
    this.#first = Math.min(this.#first, flow.startedAt);
    this.#last = Math.max(this.#last, flow.endedAt);
    this.#ends.add(flow.end, bytes);
    this.#working.add(String(Math.min(2, Math.max(flow.clientSubflows, flow.serverSubflows))), bytes);
    this.#clientSide.add(flow.clientMptcp, bytes);
    this.#serverSide.add(flow.serverMptcp, bytes);
    this.#destinations.add(flow.destinationHost, bytes);
    if (flow.end === 'done') this.#addSurvivor(line);
    for (const top of [this.#longest, this.#biggest, this.#stalled]) top.add(flow);
    this.#addToBins(line, flow, bytes);
    for (const { path, subflow } of pathsOfLine(line)) {
      this.#paths.add(path, flow.startedAt, flow.endedAt, subflow.bytesSent + subflow.bytesReceived, subflow.rttMs);
    }
  }

  #addSurvivor({ clientSide, serverSide, longestStallMs }: FlowLine): void {
    const subflows = [...(clientSide?.subflows ?? []), ...(serverSide?.subflows ?? [])];
    if (subflows.some((subflow) => subflow.closed && hasCarried(subflow))) this.#subflowLost++;
    if (longestStallMs >= SILENCE_MS) this.#silent++;
  }

  #addToBins(line: FlowLine, flow: ReportFlow, bytes: number): void {
    const duration = binOf(flow.durationMs);
    const volume = binOf(bytes);
    increment(this.#durations, duration);
    increment(this.#volumes, volume);
    increment(this.#stalls, binOf(flow.longestStallMs));
    increment(this.#cells, `${cellOf(duration)} ${cellOf(volume)}`);
    if (line.connectedAt !== undefined) {
      increment(this.#connects, binOf(Math.max(0, line.connectedAt - (line.requestedAt ?? line.acceptedAt))));
    }
  }

  report(about: Pick<Report, 'source' | 'filter' | 'notes'>): Report | undefined {
    if (this.#flows === 0) return undefined;
    const working = this.#working.shares('flows');
    const workingOf = (name: string): Share =>
      working.find((share) => share.name === name) ?? { name, flows: 0, bytes: 0 };
    const lossy = this.#destinations.isLossy
      ? [
          `more than ${NAMES_MAX} destinations: those with little volume may be missing, and figures of destinations are at least so high`,
        ]
      : [];
    return {
      ...about,
      flows: this.#flows,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      firstStartedAt: this.#first,
      lastEndedAt: this.#last,
      working: [workingOf('0'), workingOf('1'), workingOf('2')],
      ends: this.#ends.shares('flows'),
      clientSide: this.#clientSide.shares('flows'),
      serverSide: this.#serverSide.shares('flows'),
      survived: { subflowLost: this.#subflowLost, silent: this.#silent },
      durations: this.#durations,
      volumes: this.#volumes,
      connects: this.#connects,
      stalls: this.#stalls,
      cells: [...this.#cells].map(([key, flows]): Cell => {
        const [duration, volume] = key.split(' ').map(Number) as [number, number];
        return { duration, volume, flows };
      }),
      destinations: this.#destinations.shares('bytes', TOP),
      longest: this.#longest.flows(),
      biggest: this.#biggest.flows(),
      stalled: this.#stalled.flows(),
      paths: { stepMs: this.#paths.stepMs, basis: 'flows', points: this.#paths.points() },
      events: [],
      notes: [...about.notes, ...lossy],
    };
  }
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function cellOf(bin: number): number {
  return bin === ZERO_BIN ? ZERO_BIN : Math.floor(bin / (BINS_PER_DECADE / CELLS_PER_DECADE));
}
