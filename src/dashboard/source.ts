// What the dashboard shows, and where it gets it: the interfaces its owner implements. It knows no other service.

/** One network interface that may carry a path, at one moment. Bytes since the interface came up. */
export interface PathReading {
  readonly name: string;
  readonly addresses: readonly string[];
  /** `down`: switched off; `no-carrier`: switched on without a link. */
  readonly state: 'up' | 'no-carrier' | 'down';
  readonly kind: 'wifi' | 'cellular' | 'ethernet' | 'dsl' | 'other';
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** As its owner knows it, where paths are managed. */
  readonly known?: KnownPathReading;
  /** What probes tell of it, where there are any; one for each address. */
  readonly probes?: readonly PathProbe[];
}

export interface KnownPathReading {
  /** The path's name, which may be another than the interface's. */
  readonly path: string;
  readonly kind: string;
  readonly cost: 'free' | 'metered';
  /** Smaller is preferred. */
  readonly priority: number;
  /** Used only while no other path works. */
  readonly backup: boolean;
  /** Why it carries nothing; empty when it does. */
  readonly trouble: string;
  readonly budget?: BudgetReading;
}

export interface BudgetReading {
  /** Bytes of this month. */
  readonly used: number;
  readonly monthly: number;
  /** Day on which the next month begins, YYYY-MM-DD. */
  readonly until: string;
  /** What is done because of it. */
  readonly spent: 'backup' | 'off' | undefined;
}

export interface PathProbe {
  readonly address: string;
  /** `undefined`: not sure yet. */
  readonly answers: boolean | undefined;
  readonly rttMs: number | undefined;
  /** 0 to 1. */
  readonly loss: number | undefined;
  /** For people, in one line. */
  readonly text: string;
}

/** One subflow of one side of a flow. */
export interface SubflowView {
  readonly local: string;
  readonly remote: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly rttMs: number;
  readonly retransmits: number;
  readonly backup: boolean;
  readonly closed: boolean;
}

export interface FlowView {
  readonly id: string;
  readonly phase: string;
  readonly inbound: string;
  readonly outbound: string;
  readonly client: string;
  readonly user: string;
  /** `host:port`, as the client asked for it. */
  readonly destination: string;
  readonly acceptedAt: number;
  readonly idleMs: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** `mptcp`, or why not; empty when there is no such side yet. */
  readonly clientMptcp: string;
  readonly serverMptcp: string;
  readonly clientSubflows: readonly SubflowView[];
  readonly serverSubflows: readonly SubflowView[];
}

export interface EventView {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: 'path' | 'reload' | 'warning' | 'start';
  readonly text: string;
}

export interface VerdictView {
  readonly name: string;
  readonly verdict: string;
  readonly detail: string;
  readonly mend: string;
}

/** A connection that is over, as the log has it. */
export interface PastFlowView {
  readonly id: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly inbound: string;
  readonly outbound: string;
  readonly client: string;
  readonly user: string;
  readonly destination: string;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly longestStallMs: number;
  readonly end: string;
  /** Of the side with more of them; 0 for plain TCP. */
  readonly subflows: number;
}

/** What is not given does not filter. Times in milliseconds since 1970. */
export interface PastQuery {
  /** Part of the destination, the user or the client's address. */
  readonly search: string | undefined;
  readonly since: number | undefined;
  /** Where the page before ended, as it said. */
  readonly after: string | undefined;
}

export interface PastPage {
  readonly flows: readonly PastFlowView[];
  /** For the next page; empty: this is the last one. */
  readonly next: string;
}

/** A picture as SVG, for light ground and for dark. */
export interface PictureView {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly light: string;
  readonly dark: string;
}

/** The log. Its promises reject with an Error whose message is for people. */
export interface PastSource {
  /** The latest first. `undefined`: this log cannot be paged through. */
  readonly list: ((query: PastQuery) => Promise<PastPage>) | undefined;
  /** Of the flows that ended since then, in milliseconds since 1970. */
  report(since: number | undefined): Promise<readonly PictureView[]>;
  /** The time line of one flow. */
  timeLine(id: string): Promise<readonly PictureView[]>;
}

export interface DashboardSource {
  readonly version: string;
  /** `socks on 127.0.0.1:1080` and the like. */
  inbounds(): readonly string[];
  counters(): Readonly<Record<string, number>>;
  /** At most `most` live flows. */
  flows(most: number): Promise<readonly FlowView[]>;
  paths(): Promise<readonly PathReading[]>;
  health(): Promise<readonly VerdictView[]>;
  /** `undefined`: nothing is logged. */
  readonly past?: PastSource | undefined;
}
