// Plays a handshake without sockets: bytes in, effects out. An answering caller stands in for the rest of the proxy.

import type { ConnectFailure, InboundEffect, InboundHandshake } from '#anabranch/handshake/inbound.js';
import type { OutboundEffect, OutboundHandshake } from '#anabranch/handshake/outbound.js';
import type { Endpoint } from '#anabranch/wire/destination.js';

export const BOUND: Endpoint = { address: '192.0.2.7', port: 40000 };

export interface Answers {
  readonly authenticated?: boolean;
  readonly connect?: Endpoint | ConnectFailure;
}

/** Effects as they can be compared: bytes as hexadecimal text, all that is sent in a row in one piece. */
export type Seen = Record<string, unknown> & { readonly kind: string };

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export function see(effects: readonly (InboundEffect | OutboundEffect)[]): Seen[] {
  return mergeSends(
    effects.map((effect) => {
      const plain: Record<string, unknown> & { kind: string } = { ...effect };
      for (const [key, value] of Object.entries(plain)) if (value instanceof Uint8Array) plain[key] = hex(value);
      return plain;
    }),
  );
}

/** What is sent in a row may be one piece or several. */
export function mergeSends(seen: readonly Seen[]): Seen[] {
  const merged: Seen[] = [];
  for (const one of seen) {
    const last = merged.at(-1) as { kind: string; bytes?: unknown } | undefined;
    if (one.kind === 'send' && last?.kind === 'send') last.bytes = `${last.bytes}${one.bytes}`;
    else merged.push({ ...one });
  }
  return merged;
}

/** Feeds one segment, overwrites it afterwards as a reused buffer would be, and answers what was asked. */
export function feed(machine: InboundHandshake, segment: Uint8Array, answers: Answers): InboundEffect[] {
  const bytes = new Uint8Array(segment);
  const all: InboundEffect[] = [];
  let round = machine.onBytes(bytes);
  bytes.fill(0xee);
  while (round.length > 0) {
    const next: InboundEffect[] = [];
    for (const effect of round) {
      all.push(effect);
      if (effect.kind === 'authenticate' && answers.authenticated !== undefined) {
        next.push(...machine.onAuthenticated(answers.authenticated));
      }
      if (effect.kind === 'connect' && answers.connect !== undefined) {
        const { connect } = answers;
        next.push(...(typeof connect === 'string' ? machine.onFailed(connect) : machine.onConnected(connect)));
      }
    }
    round = next;
  }
  return all;
}

export function play(machine: InboundHandshake, segments: readonly Uint8Array[], answers: Answers): Seen[] {
  return see(segments.flatMap((segment) => feed(machine, segment, answers)));
}

export function playClient(machine: OutboundHandshake, segments: readonly Uint8Array[]): Seen[] {
  const effects = [...machine.start()];
  for (const segment of segments) {
    const bytes = new Uint8Array(segment);
    effects.push(...machine.onBytes(bytes));
    bytes.fill(0xee);
  }
  return see(effects);
}

export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** `bytes` in pieces, cut at the given places (taken modulo the length). */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
}
