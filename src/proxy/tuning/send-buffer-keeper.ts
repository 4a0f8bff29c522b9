// `sendBuffer: auto` for one side of a flow: no more in the kernel than keeps all its paths busy.

import { largestSendBuffer, sendBufferOf, setSendBuffer } from '../../socket/send-buffer.ts';
import type { SendReading } from '../../socket/send-reading.ts';
import { SendBufferChoice } from './send-buffer-choice.ts';

/** What the kernel gives a connection over two paths at the most, where it is left as it comes (tcp_wmem). */
const ALLOWED_MIN = 8 << 20;

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
    // Once set it stays as it is: with less to choose from than the kernel has, a connection is better off as it was.
    const allowed = largestSendBuffer();
    if (allowed < ALLOWED_MIN) return;
    const wanted = this.#choice.observe(now, readings, sendBufferOf(this.#fd));
    if (wanted === undefined) return;
    this.#bytes = Math.min(wanted, allowed);
    setSendBuffer(this.#fd, this.#bytes);
  }
}
