// What the server has told, as signals; the page draws itself from them.

import { signal } from '@preact/signals';
import type { Tick } from '../history.ts';
import type { EventView, FlowView, PathReading } from '../source.ts';

/** Seconds kept: as many as the server does. */
const TICKS_MAX = 300;
const EVENTS_MAX = 500;

export const connected = signal<'connecting' | 'live' | 'lost'>('connecting');
export const version = signal('');
export const inbounds = signal<readonly string[]>([]);
export const counters = signal<Readonly<Record<string, number>>>({});
export const paths = signal<readonly PathReading[]>([]);
export const ticks = signal<readonly Tick[]>([]);
export const events = signal<readonly EventView[]>([]);
export const flows = signal<readonly FlowView[]>([]);
/** Bytes per second of each flow, both ways together, by id. */
export const rates = signal<ReadonlyMap<string, number>>(new Map());

interface Hello {
  readonly version: string;
  readonly inbounds: readonly string[];
  readonly ticks: readonly Tick[];
  readonly events: readonly EventView[];
  readonly flows: readonly FlowView[];
}

let flowsAt = 0;

function takeFlows(next: readonly FlowView[]): void {
  const now = performance.now();
  const seconds = (now - flowsAt) / 1000;
  const before = new Map(flows.value.map((flow) => [flow.id, flow.bytesUp + flow.bytesDown]));
  rates.value = new Map(
    next.map((flow) => {
      const known = before.get(flow.id);
      const moved = known === undefined ? 0 : flow.bytesUp + flow.bytesDown - known;
      return [flow.id, flowsAt === 0 ? 0 : Math.max(0, moved / seconds)];
    }),
  );
  flowsAt = now;
  flows.value = next;
}

/** Opens the stream. The browser reconnects by itself; what was missed comes with the next hello. */
export function follow(): void {
  const source = new EventSource('live');
  const on = <T,>(kind: string, take: (data: T) => void) =>
    source.addEventListener(kind, (event) => take(JSON.parse((event as MessageEvent<string>).data) as T));
  source.addEventListener('error', () => {
    connected.value = 'lost';
  });
  on<Hello>('hello', (hello) => {
    connected.value = 'live';
    version.value = hello.version;
    inbounds.value = hello.inbounds;
    ticks.value = hello.ticks;
    events.value = hello.events;
    takeFlows(hello.flows);
  });
  on<{ tick: Tick; readings: PathReading[]; counters: Record<string, number>; inbounds: string[] }>('tick', (data) => {
    connected.value = 'live';
    ticks.value = [...ticks.value.slice(1 - TICKS_MAX), data.tick];
    paths.value = data.readings;
    counters.value = data.counters;
    inbounds.value = data.inbounds;
  });
  on<EventView>('event', (event) => {
    events.value = [...events.value.slice(1 - EVENTS_MAX), event];
  });
  on<FlowView[]>('flows', takeFlows);
}
