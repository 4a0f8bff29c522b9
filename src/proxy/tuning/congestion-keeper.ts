// `congestion: auto` for one side of a flow: changes its congestion control when another one suits.

import { changeCongestion } from '../../socket/congestion.ts';
import { errnoName } from '../../socket/errno.ts';
import type { SendReading } from '../../socket/send-reading.ts';
import type { CongestionRecord } from '../flow-record.ts';
import { type Choice, CongestionChoice } from './congestion-choice.ts';
import type { CongestionMemory } from './congestion-memory.ts';

/** Losses and round trips say nothing within less. */
const EVERY_MS = 250;

export class CongestionKeeper {
  readonly #memory: CongestionMemory;
  readonly #peer: string;
  readonly #fd: number;
  readonly #choice: CongestionChoice;
  #record: CongestionRecord | undefined;
  #observedAt = -Infinity;

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

  observe(now: number, readings: readonly SendReading[]): void {
    if (now - this.#observedAt < EVERY_MS) return;
    this.#observedAt = now;
    const choice = this.#choice.observe(now, readings);
    if (choice !== undefined) this.#take(choice, now);
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
