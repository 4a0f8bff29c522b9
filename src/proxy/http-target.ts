// The target of a request to a proxy: what is to be reached, and what to ask there (RFC 9112 §3.2). No sockets.

import { type Destination, parseHostPort } from '../wire/destination.ts';

export interface HttpTarget {
  readonly destination: Destination;
  /** As the client wrote it, for the Host field. */
  readonly authority: string;
  /** Origin form, or `*`; passed on as it came (RFC 9110 §7.7). */
  readonly path: string;
}

/** A sentence for the client when the target is none. */
export interface TargetFault {
  readonly fault: string;
}

const HTTP_PORT = 80;
const ABSOLUTE_FORM = /^http:\/\/([^/?#]*)([/?][^#]*)?$/i;

export function parseTarget(method: string, url: string): HttpTarget | TargetFault {
  const match = ABSOLUTE_FORM.exec(url);
  if (!match) return { fault: faultOf(url) };
  const [, authorityText = '', rest = ''] = match;
  if (authorityText.includes('@')) return { fault: 'A user name in the address is not allowed (RFC 9110 §4.2.4).' };
  // RFC 3986 §3.2.3: a colon without a port stands for the default port.
  const authority = authorityText.endsWith(':') ? authorityText.slice(0, -1) : authorityText;
  const destination = parseHostPort(authority, HTTP_PORT);
  if (destination === undefined) return { fault: 'The address names no usable host and port.' };
  return { destination, authority, path: pathOf(method, rest) };
}

/** RFC 9112 §3.2.4: OPTIONS without a path is about the server as a whole. */
function pathOf(method: string, rest: string): string {
  if (rest === '') return method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function faultOf(url: string): string {
  if (/^https:/i.test(url)) return 'An https address needs a tunnel: send CONNECT host:port instead.';
  if (url.startsWith('/') || url === '*') {
    return 'This is a proxy: ask for a whole address, as in GET http://example.org/ HTTP/1.1.';
  }
  if (url.includes('#')) return 'An address with a fragment cannot be asked for.';
  return 'This proxy takes http:// addresses only.';
}
