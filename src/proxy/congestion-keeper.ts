// `congestion: auto` for one side of a flow: looks at the connection while it sends, and changes its congestion control
// when another one suits.

import { changeCongestion, readCongestion } from '../socket/congestion.ts';
import { errnoName } from '../socket/errno.ts';
import { type Choice, CongestionChoice } from './congestion-choice.ts';
import type { CongestionMemory } from './congestion-memory.ts';
import type { CongestionRecord } from './flow-record.ts';

/** A look is worth its calls when so much has gone through since the last one. */
const BYTES_BETWEEN = 32 * 1024;

export class CongestionKeeper {
  readonly #memory: CongestionMemory;
  readonly #peer: string;
  readonly #fd: number;
  readonly #choice: CongestionChoice;
  #record: CongestionRecord | undefined;
  #bytes = 0;
  #hasLooked = false;

  /** `fd` is the flow's; it is used only while the flow lives. */
  constructor(memory: CongestionMemory, peer: string, fd: number, now: number) {
    this.#memory = memory;
    this.#peer = peer;
    this.#fd = fd;
    const lesson = memory.recall(peer, now);
    const wanted = lesson?.congestion ?? 'cubic';
    const isTaken = wanted === 'bbr' && changeCongestion(fd, wanted) >= 0;
    this.#choice = new CongestionChoice(now, isTaken ? 'bbr' : 'cubic', lesson?.barredUntil);
    if (isTaken) this.#record = { name: wanted, why: `learnt from an earlier connection: ${lesson?.why}` };
  }

  get record(): CongestionRecord | undefined {
    return this.#record;
  }

  /** `bytes`: sent to this side in all. Returns whether the kernel was asked. */
  look(now: number, bytes: number, isMptcp: boolean): boolean {
    // Once more after the last byte: then what is under way has arrived.
    if (bytes - this.#bytes < BYTES_BETWEEN && !(this.#hasLooked && bytes > this.#bytes)) {
      this.#hasLooked = false;
      return false;
    }
    this.#bytes = bytes;
    this.#hasLooked = true;
    const choice = this.#choice.observe(now, readCongestion(this.#fd, isMptcp));
    if (choice !== undefined) this.#take(choice, now);
    return true;
  }

  #take(choice: Choice, now: number): void {
    const { congestion, why } = choice;
    const refusal = congestion === 'bbr' ? this.#memory.refusal(now) : undefined;
    const status = refusal === undefined ? changeCongestion(this.#fd, congestion) : 0;
    const obstacle = refusal ?? (status < 0 ? errnoName(-status) : undefined);
    if (obstacle !== undefined) {
      this.#record = { name: 'cubic', why: `${why}; but bbr cannot be had: ${obstacle}` };
      this.#choice.bar(now);
      return;
    }
    this.#record = { name: congestion, why };
    this.#memory.remember(this.#peer, { ...choice, barredUntil: this.#choice.barredUntil }, now);
  }
}
