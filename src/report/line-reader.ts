// Lines of a file of any size, one chunk at a time. A line beyond LINE_BYTES_MAX is no record of ours and is not kept.

import { createReadStream } from 'node:fs';

/** A flow with all the subflows that are remembered of it takes some 50 kB. */
export const LINE_BYTES_MAX = 1 << 20;
const NEWLINE = 0x0a;

/** `undefined` stands for a line that was too long. Rejects with Node's error, which names the path. */
export async function* readLines(path: string): AsyncGenerator<string | undefined> {
  /** Of the line at hand. Bounded by LINE_BYTES_MAX and a chunk. */
  let held: Buffer[] = [];
  let heldBytes = 0;
  let tooLong = false;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (;;) {
      const to = chunk.indexOf(NEWLINE, from);
      const part = chunk.subarray(from, to === -1 ? chunk.length : to);
      if (heldBytes + part.length > LINE_BYTES_MAX) {
        tooLong = true;
        held = [];
        heldBytes = 0;
      }
      if (to === -1) {
        if (!tooLong && part.length > 0) held.push(part);
        if (!tooLong) heldBytes += part.length;
        break;
      }
      // Most lines lie in one chunk, and are not copied.
      yield tooLong ? undefined : (held.length === 0 ? part : Buffer.concat([...held, part])).toString('utf8');
      held = [];
      heldBytes = 0;
      tooLong = false;
      from = to + 1;
    }
  }
  if (tooLong) yield undefined;
  else if (heldBytes > 0) yield Buffer.concat(held).toString('utf8');
}
