// Finds the end of an HTTP/1 head (RFC 9112 §2.1) in bytes that come in pieces, and refuses what no strict head holds.

import { ProtocolError } from './protocol-error.ts';

export const HTTP_HEAD_BYTES_MAX = 32 * 1024;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DELETE = 0x7f;

/**
 * One scanner reads one head. Each byte is looked at once, however small the pieces. Bare CR, bare LF, NUL and other
 * controls are refused where they stand (RFC 9112 §2.2, RFC 9110 §5.5), and so are folded lines (RFC 9112 §5.2): two
 * readers that take any of these differently disagree on where a message ends.
 */
export class HttpHeadScanner {
  readonly #bytesMax: number;
  #at = 0;
  #lineStart = 0;

  constructor(bytesMax = HTTP_HEAD_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /**
   * `bytes`: all of the head that has come so far, from its first byte. Returns its length with the empty line at its
   * end, or `undefined`: need more. One empty line in front of the head is taken (RFC 9112 §2.2) and counts with it.
   */
  scan(bytes: Uint8Array): number | undefined {
    const end = Math.min(bytes.length, this.#bytesMax);
    let at = this.#at;
    let lineStart = this.#lineStart;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte > SPACE && byte !== DELETE) {
        at++;
      } else if (byte === SPACE || byte === TAB) {
        if (at === lineStart) throw new ProtocolError('malformed', 'a line of an HTTP head begins with whitespace');
        at++;
      } else if (byte === CR) {
        if (at + 1 >= bytes.length) break;
        if (bytes[at + 1] !== LF) throw new ProtocolError('malformed', 'a bare CR in an HTTP head');
        at += 2;
        if (at - 2 === lineStart && lineStart > 0) {
          if (at > this.#bytesMax) break;
          return at;
        }
        lineStart = at;
      } else {
        const what = byte === LF ? 'a bare LF' : byte === 0 ? 'a NUL' : 'a control character';
        throw new ProtocolError('malformed', `${what} in an HTTP head`);
      }
    }
    if (at >= this.#bytesMax) {
      throw new ProtocolError('too-large', `an HTTP head of more than ${this.#bytesMax} bytes`);
    }
    this.#at = at;
    this.#lineStart = lineStart;
    return undefined;
  }
}
