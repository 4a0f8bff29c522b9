// One download by curl inside a host: bytes counted, timed and hashed as they come out of curl.

import { createHash } from 'node:crypto';
import type { Host, HostProcess } from '../host.ts';
import { printable } from './printable.ts';
import { StallMeter } from './stall-meter.ts';

/** A request that is not even connected by now will not be. Beyond this curl's own defaults hold. */
const CONNECT_SECONDS = 10;

export interface DownloadOptions {
  readonly curl: string;
  readonly url: string;
  /** `127.0.0.1:1080`; undefined: straight. */
  readonly socks: string | undefined;
  readonly secondsMax: number;
}

export interface DownloadResult {
  /** Whether curl says so: everything that the server announced has come. */
  readonly finished: boolean;
  readonly bytes: number;
  readonly sha256: string;
  readonly seconds: number;
  /** Longest time without a byte, between the first byte and the end. */
  readonly longestStallMs: number;
  /** What curl said of its failure, safe to print. */
  readonly failure: string | undefined;
}

export class Download {
  readonly #process: HostProcess;
  readonly #hash = createHash('sha256');
  readonly #stalls = new StallMeter();
  readonly #start = performance.now();
  #bytes = 0;
  #stderr = '';
  #over = false;
  /** Resolves however curl ends. */
  readonly done: Promise<DownloadResult>;

  constructor(host: Host, { curl, url, socks, secondsMax }: DownloadOptions) {
    const limits = ['--connect-timeout', String(CONNECT_SECONDS), '--max-time', String(secondsMax)];
    const through = socks === undefined ? ['--noproxy', '*'] : ['--proxy', `socks5h://${socks}`, '--noproxy', ''];
    // --disable: a .curlrc of the user must not change the experiment.
    const args = ['--disable', '--silent', '--show-error', '--fail', '--no-buffer', ...limits, ...through, url];
    this.#process = host.spawn([curl, ...args], { outputBytesMax: 0 });
    const { child } = this.#process;
    child.stdin.end();
    child.stdout.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
      this.#hash.update(chunk);
      this.#stalls.onBytes(performance.now());
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#stderr.length < 1_000) this.#stderr += text;
    });
    this.done = this.#settle();
  }

  get bytes(): number {
    return this.#bytes;
  }

  get over(): boolean {
    return this.#over;
  }

  async #settle(): Promise<DownloadResult> {
    const { status, signal } = await this.#process.exited;
    this.#over = true;
    const now = performance.now();
    this.#stalls.onEnd(now);
    const finished = status === 0;
    const said = printable(this.#stderr.trim()) || `curl ended with ${status ?? signal ?? 'an unknown status'}`;
    return {
      finished,
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      seconds: (now - this.#start) / 1000,
      longestStallMs: this.#stalls.longestMs,
      failure: finished ? undefined : said,
    };
  }
}
