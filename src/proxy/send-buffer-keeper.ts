// `sendBuffer: auto` for one side of a flow: no more in the kernel than keeps all its paths busy.

import { largestSendBuffer, sendBufferOf, setSendBuffer } from '../socket/send-buffer.ts';
import type { SendReading } from '../socket/send-reading.ts';
import { SendBufferChoice } from './send-buffer-choice.ts';

export class SendBufferKeeper {
  readonly #fd: number;
  readonly #choice = new SendBufferChoice();
  #bytes: number | undefined;

  /** `fd` is the flow's; it is used only while the flow lives. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Bytes; `undefined`: left to the kernel. */
  get bytes(): number | undefined {
    return this.#bytes;
  }

  observe(now: number, readings: readonly SendReading[]): void {
    const wanted = this.#choice.observe(now, readings, sendBufferOf(this.#fd));
    if (wanted === undefined) return;
    const allowed = largestSendBuffer();
    // Too little for this connection: it is better off with what the kernel gives it, as long as it can still be had.
    if (wanted > allowed && this.#bytes === undefined) return;
    this.#bytes = Math.min(wanted, allowed);
    setSendBuffer(this.#fd, this.#bytes);
  }
}
