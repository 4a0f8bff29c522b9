// Small pages that the client fetches beside the download, each over a connection of its own: what connections look
// like that nobody would miss, next to the one that must survive.

import type { Host, HostProcess } from '../host.ts';

const VISIT_MS = 600;
const VISIT_SECONDS_MAX = 15;
/**
 * Those that wait for a cut path go at once when it is back: so few and so small, they are not taken for the download
 * (62 kB within a sample).
 */
const VISITS_MAX = 3;
const PAGE_BYTES = [4_000, 1_500, 12_000, 2_500, 24_000, 7_000, 800] as const;

export interface VisitsOptions {
  readonly curl: string;
  /** `http://198.18.0.1`; a number of bytes follows. */
  readonly server: string;
  readonly socks: string;
}

export class Visits {
  readonly #host: Host;
  readonly #options: VisitsOptions;
  /** Under way. At most VISITS_MAX. */
  readonly #visits = new Set<HostProcess>();
  readonly #timer: NodeJS.Timeout;
  #count = 0;

  constructor(host: Host, options: VisitsOptions) {
    this.#host = host;
    this.#options = options;
    this.#timer = setInterval(() => this.#visit(), VISIT_MS);
  }

  #visit(): void {
    if (this.#visits.size >= VISITS_MAX) return;
    const { curl, server, socks } = this.#options;
    const limits = ['--max-time', String(VISIT_SECONDS_MAX), '--proxy', `socks5h://${socks}`, '--noproxy', ''];
    const url = `${server}/${PAGE_BYTES[this.#count++ % PAGE_BYTES.length]}`;
    const command = [curl, '--disable', '--silent', '--output', '/dev/null', ...limits, url];
    try {
      const visit = this.#host.spawn(command, { outputBytesMax: 0 });
      visit.child.stdin.end();
      this.#visits.add(visit);
      const forget = (): void => void this.#visits.delete(visit);
      visit.exited.then(forget, forget);
    } catch {
      // The lab is being taken down.
      clearInterval(this.#timer);
    }
  }

  /** Resolves once none is under way any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const left = [...this.#visits];
    for (const visit of left) visit.kill();
    await Promise.allSettled(left.map(({ exited }) => exited));
  }
}
