// A player with a playout buffer: content comes in as it may and is played at a constant rate. Knows no clock; times are
// milliseconds and must not decrease.

export interface PlayoutOptions {
  readonly bytesPerMs: number;
  /** Content needed before playing begins, and before it goes on after a stall, in milliseconds of it. */
  readonly bufferMs: number;
  readonly resumeMs: number;
  /** Length of the whole content; once all of it is there, nothing more is waited for. */
  readonly totalBytes: number;
}

export interface Stall {
  readonly atMs: number;
  readonly ms: number;
}

export interface PlayoutReport {
  /** From asking for the content to playing; undefined when it never came to that. */
  readonly startUpMs: number | undefined;
  readonly stalls: readonly Stall[];
  readonly stalledMs: number;
}

export class PlayoutBuffer {
  readonly #options: PlayoutOptions;
  readonly #askedMs: number;
  #received = 0;
  #played = 0;
  /** When `#played` was last worked out. */
  #atMs: number;
  #state: 'filling' | 'playing' | 'stalled' = 'filling';
  #startUpMs: number | undefined;
  #stalledAtMs = 0;
  /** Bounded by the content: between two stalls `resumeMs` of it, or all that comes at once, is played. */
  readonly #stalls: Stall[] = [];

  constructor(options: PlayoutOptions, askedMs: number) {
    this.#options = options;
    this.#askedMs = askedMs;
    this.#atMs = askedMs;
  }

  onBytes(nowMs: number, bytes: number): void {
    this.#advance(nowMs);
    this.#received += bytes;
    const { bytesPerMs, bufferMs, resumeMs, totalBytes } = this.#options;
    if (this.#state === 'playing') return;
    const needed = (this.#state === 'filling' ? bufferMs : resumeMs) * bytesPerMs;
    if (this.#received < totalBytes && this.#received - this.#played < needed) return;
    if (this.#state === 'filling') this.#startUpMs = nowMs - this.#askedMs;
    else this.#stalls.push({ atMs: this.#stalledAtMs, ms: nowMs - this.#stalledAtMs });
    this.#state = 'playing';
  }

  /** The report as of now; a stall that lasts is counted up to here. */
  report(nowMs: number): PlayoutReport {
    this.#advance(nowMs);
    const stalls = [...this.#stalls];
    if (this.#state === 'stalled') stalls.push({ atMs: this.#stalledAtMs, ms: nowMs - this.#stalledAtMs });
    return { startUpMs: this.#startUpMs, stalls, stalledMs: stalls.reduce((sum, { ms }) => sum + ms, 0) };
  }

  #advance(nowMs: number): void {
    if (this.#state === 'playing') {
      const { bytesPerMs, totalBytes } = this.#options;
      const wanted = this.#played + (nowMs - this.#atMs) * bytesPerMs;
      if (wanted > this.#received && this.#received < totalBytes) {
        this.#state = 'stalled';
        this.#stalledAtMs = this.#atMs + (this.#received - this.#played) / bytesPerMs;
      }
      this.#played = Math.min(wanted, this.#received);
    }
    this.#atMs = nowMs;
  }
}
