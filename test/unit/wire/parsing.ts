// What every parser of this room owes: nothing for a proper prefix, the same with bytes around it.

import assert from 'node:assert/strict';

import type { Parsed } from '#anabranch/wire/parsed.js';

export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** `bytes` are one message; what `parse` says of it, having checked all its prefixes and surroundings. */
export function parseWhole<T>(parse: (bytes: Uint8Array, offset?: number) => Parsed<T>, bytes: Uint8Array): T {
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(parse(bytes.subarray(0, length)), undefined, `${length} of ${bytes.length} bytes`);
  }
  const parsed = parse(bytes);
  assert.ok(parsed);
  assert.equal(parsed.bytesRead, bytes.length);
  const around = new Uint8Array([0xaa, 0xbb, ...bytes, 0xcc, 0xdd]);
  assert.deepEqual(parse(around, 2), parsed);
  return parsed.value;
}

export function protocolError(code: string, message?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Error);
    assert.equal(error.name, 'ProtocolError');
    assert.equal((error as Error & { code: string }).code, code);
    if (message) assert.match(error.message, message);
    return true;
  };
}
