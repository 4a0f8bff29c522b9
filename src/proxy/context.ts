// What every flow of one data-plane thread shares.

import type { Config, InboundConfig } from '../config/config.ts';
import type { EventLoop } from '../dataplane/event-loop.ts';
import type { PumpResources } from '../dataplane/pump.ts';
import type { ProxyCounters } from './counter-layout.ts';
import type { FlowEnd, FlowRecord } from './flow-record.ts';
import type { FlowStatus } from './flow-status.ts';
import type { Histograms } from './histograms.ts';
import type { MainThread } from './main-thread.ts';
import type { FromThread } from './messages.ts';
import type { PathSources } from './path-sources.ts';
import type { PlainPeers } from './plain-peers.ts';
import type { Purpose, WishLine } from './purpose.ts';
import type { Routes } from './routes.ts';
import type { SourceLimits } from './source-limits.ts';
import type { CongestionMemory } from './tuning/congestion-memory.ts';
import type { Tunable } from './tuning/send-watch.ts';

/** A flow as its thread sees it. */
export interface LiveFlow extends Tunable {
  /** One of its sides has subflows that may come and go. */
  readonly isMptcp: boolean;
  /** Looks at what the kernel says of its MPTCP sides; ends the flow when a peer has been silent for too long. */
  watch(): void;
  status(): FlowStatus;
  /** `undefined`: it has asked for nothing yet. */
  readonly purpose: Purpose | undefined;
  /** Ends the flow from outside. */
  cut(end: FlowEnd): void;
}

export interface Context {
  readonly loop: EventLoop;
  readonly resources: PumpResources;
  readonly counters: ProxyCounters;
  readonly histograms: Histograms;
  readonly sources: SourceLimits;
  readonly main: MainThread;
  readonly plainPeers: PlainPeers;
  readonly paths: PathSources;
  readonly wishes: WishLine;
  readonly congestion: CongestionMemory;
  readonly mptcpAvailable: boolean;
  /** Milliseconds since 1970 at the loop's zero. */
  readonly epoch: number;
  /** Milliseconds since 1970, of a clock that may be set. */
  readonly clock: () => number;
  /** Bounded by `limits.connections`. */
  readonly flows: Set<LiveFlow>;
  /** Replaced by a reload; a flow keeps what it began with. */
  config: Config;
  inbounds: ReadonlyMap<string, InboundConfig>;
  routes: Routes;
  /** Records are wanted; without it flows are not sampled at their end. */
  recording: boolean;
  nextFlowId(): string;
  post(message: FromThread): void;
  record(record: FlowRecord): void;
}
