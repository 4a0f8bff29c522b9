// What a client asks for: a host and a port. Knows nothing of sockets or name resolution.

import { canonicalIp } from './ip.ts';

/**
 * Where a connection shall go. `host` is an IPv4 or IPv6 literal in canonical text (no brackets, no zone) or a domain
 * name in lower case without its final dot; `port` is 1–65535.
 */
export interface Destination {
  readonly host: string;
  readonly port: number;
}

/** A socket address as it is shown and logged: `address` is an IPv4 or IPv6 literal in canonical text. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Longest domain name on the wire: RFC 1035 §2.3.4 (255 octets, 253 characters in text). */
const DOMAIN_LENGTH_MAX = 253;
const PRINTABLE_ASCII = /^[!-~]+$/;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Canonical text of a host a client named, or `undefined` when it is neither an address nor a usable domain name.
 * Underscores are taken (they occur in practice); everything else outside letters, digits and hyphens is refused, so a
 * host that was accepted can be printed, logged and sent on as it is. Internationalised names must come as A-labels.
 */
export function canonicalHost(text: string): string | undefined {
  const ip = canonicalIp(text);
  if (ip !== undefined) return ip;
  const rooted = text.endsWith('.') ? text.slice(0, -1) : text;
  // Beyond ASCII, lower case could make a letter of what is none: U+212A, the Kelvin sign, becomes "k".
  if (rooted.length === 0 || rooted.length > DOMAIN_LENGTH_MAX || !PRINTABLE_ASCII.test(rooted)) return undefined;
  const name = rooted.toLowerCase();
  const labels = name.split('.');
  // A last label of digits only is a mistyped address (WHATWG URL, "ends in a number"), never a top-level domain.
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels[labels.length - 1] ?? '')) return undefined;
  return labels.every((label) => LABEL.test(label)) ? name : undefined;
}

/** `host:port`, with brackets around an IPv6 literal (RFC 3986 §3.2.2). */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads `host:port`, `[v6]:port` or, with `defaultPort`, a bare host. `undefined` when host or port is not usable.
 */
export function parseHostPort(text: string, defaultPort?: number): Destination | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const [, bracketed, plain, portText] = match;
  const host = canonicalHost(bracketed ?? plain ?? '');
  // RFC 3986 §3.2.2: in brackets stands an IPv6 address. It may have come out as IPv4, when it was a mapped one.
  if (host === undefined || (bracketed !== undefined && !bracketed.includes(':'))) return undefined;
  const port = portText === undefined ? defaultPort : Number(portText);
  if (port === undefined || port < 1 || port > 65535) return undefined;
  return { host, port };
}
