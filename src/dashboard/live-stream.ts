// Server-sent events: once a second what has changed, to every page that is open; at first the last minutes.

import type { ServerResponse } from 'node:http';
import type { History } from './history.ts';
import type { DashboardSource, EventView, FlowView } from './source.ts';

const TICK_MS = 1_000;
const FLOWS_MAX = 5_000;
/** Listing flows asks the kernel about each: with many of them it is done less often. */
const FLOWS_PER_SECOND = 1_000;
/** A page that takes nothing is let go; it comes back by itself and catches up. */
const WAITING_BYTES_MAX = 8 << 20;

/** Pages are bounded by the server's connections. */
export class LiveStream {
  readonly #source: DashboardSource;
  readonly #history: History;
  readonly #pages = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #flows: readonly FlowView[] = [];
  #flowsAt = 0;
  #busy = false;

  constructor(source: DashboardSource, history: History) {
    this.#source = source;
    this.#history = history;
  }

  async start(): Promise<void> {
    this.note({ at: Date.now(), kind: 'start', text: `anabranch ${this.#source.version} started` });
    this.#history.add(await this.#source.paths(), Date.now());
    this.#timer = setInterval(() => void this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  attach(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
    const { ticks, events } = this.#history;
    const { version } = this.#source;
    send(response, 'hello', { version, inbounds: this.#source.inbounds(), ticks, events, flows: this.#flows });
    this.#pages.add(response);
    response.on('close', () => this.#pages.delete(response));
  }

  note(event: EventView): void {
    this.#history.note(event);
    this.#broadcast('event', event);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const page of this.#pages) page.end();
  }

  async #tick(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const known = this.#history.events.length;
      const last = this.#history.events.at(-1);
      const readings = await this.#source.paths();
      const tick = this.#history.add(readings, Date.now());
      if (this.#pages.size === 0) return;
      const fresh = last === undefined ? known : this.#history.events.lastIndexOf(last) + 1;
      for (const event of this.#history.events.slice(fresh)) this.#broadcast('event', event);
      await this.#listFlows();
      this.#broadcast('tick', { tick, readings, counters: this.#source.counters(), inbounds: this.#source.inbounds() });
    } finally {
      this.#busy = false;
    }
  }

  async #listFlows(): Promise<void> {
    const now = Date.now();
    if (now - this.#flowsAt < (this.#flows.length / FLOWS_PER_SECOND) * TICK_MS) return;
    this.#flows = await this.#source.flows(FLOWS_MAX);
    this.#flowsAt = now;
    this.#broadcast('flows', this.#flows);
  }

  #broadcast(kind: string, data: unknown): void {
    if (this.#pages.size === 0) return;
    for (const page of this.#pages) {
      if (page.writableLength > WAITING_BYTES_MAX) page.destroy();
      else send(page, kind, data);
    }
  }
}

function send(response: ServerResponse, kind: string, data: unknown): void {
  response.write(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);
}
