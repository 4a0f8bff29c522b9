// Bytes as text, one character each (ISO 8859-1). `TextDecoder` cannot do this: its "latin1" is windows-1252.

/** Arguments of one call; far below what any stack takes. */
const CHUNK = 4096;

/** Text of `bytes[start…end)`, every character U+0000–U+00FF. */
export function latin1Text(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at += CHUNK) {
    const chunk = bytes.subarray(at, Math.min(at + CHUNK, end));
    text += String.fromCharCode.apply(null, chunk as unknown as number[]);
  }
  return text;
}

/** Writes the characters of `text`, which must all be below U+0100, at `offset`. Returns the offset behind them. */
export function writeLatin1(bytes: Uint8Array, offset: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
  return offset + text.length;
}
