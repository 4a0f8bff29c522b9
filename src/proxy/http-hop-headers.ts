// Which header fields go on to the next hop and which end here (RFC 9110 §7.6). Works on fields as Node has them raw,
// name and value in turn, so that order, case and repetition survive. No sockets.

/** Name, value, name, value … */
export type RawHeaders = readonly string[];

/** RFC 9110 §7.6.1 and §11.7: for one hop only, named in Connection or not. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  // RFC 7540 §3.2.1; an upgrade to h2c is not passed on.
  'http2-settings',
]);

/** Never taken away because Connection names it: that would change where the message ends. */
const FRAMING = 'content-length';

/** RFC 9110 §6.5.1: fields that must be known before the content come too late in a trailer. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'host',
  'max-forwards',
  'set-cookie',
  'trailer',
  'via',
]);

export interface RequestToForward {
  readonly method: string;
  readonly httpVersion: string;
  readonly rawHeaders: RawHeaders;
  /** For Host: the authority of the target. */
  readonly authority: string;
  readonly chunked: boolean;
  readonly hasLength: boolean;
  /** Ask for this protocol (RFC 9110 §7.8). */
  readonly upgrade: string | undefined;
  /** A new value for Max-Forwards. */
  readonly maxForwards: number | undefined;
}

export function requestHeaders(request: RequestToForward, pseudonym: string): string[] {
  // RFC 9112 §3.2.2: the client's own Host does not count beside an absolute target.
  const headers = ['Host', request.authority];
  for (const [name, value] of endToEnd(request.rawHeaders)) {
    const lower = name.toLowerCase();
    if (lower === 'host' || (lower === 'trailer' && !request.chunked)) continue;
    if (lower === 'max-forwards' && request.maxForwards !== undefined) continue;
    headers.push(name, value);
  }
  if (request.maxForwards !== undefined) headers.push('Max-Forwards', String(request.maxForwards));
  if (request.chunked) headers.push('Transfer-Encoding', 'chunked');
  // Otherwise Node would send an empty chunked body with such a request.
  else if (!request.hasLength && METHODS_WITH_CONTENT.has(request.method)) headers.push('Content-Length', '0');
  headers.push('Via', `${request.httpVersion} ${pseudonym}`);
  if (request.upgrade !== undefined) {
    headers.push('Connection', 'Upgrade', 'Upgrade', request.upgrade);
  } else if (listed(request.rawHeaders, 'te').some((coding) => coding.split(';')[0] === 'trailers')) {
    // We pass trailers on, so we may ask for them; the other codings are between two neighbours.
    headers.push('Connection', 'TE', 'TE', 'trailers');
  }
  return headers;
}

const METHODS_WITH_CONTENT: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

export interface ResponseToForward {
  readonly status: number;
  readonly httpVersion: string;
  readonly rawHeaders: RawHeaders;
  /** The response goes on in chunks, so that trailers can follow. */
  readonly trailers: boolean;
}

export function responseHeaders(response: ResponseToForward, pseudonym: string): string[] {
  const headers: string[] = [];
  // RFC 9110 §8.6: no length in 1xx and 204; beside a chunked body (refused by the parser) it would be a trap.
  const hasLength = response.status >= 200 && response.status !== 204;
  for (const [name, value] of endToEnd(response.rawHeaders)) {
    const lower = name.toLowerCase();
    if ((lower === 'content-length' && !hasLength) || (lower === 'trailer' && !response.trailers)) continue;
    headers.push(name, value);
  }
  headers.push('Via', `${response.httpVersion} ${pseudonym}`);
  return headers;
}

/** Of an interim response (1xx) nothing is added: it is the final one's business to say who passed it on. */
export function interimHeaders(rawHeaders: RawHeaders): string[] {
  return endToEnd(rawHeaders)
    .filter(([name]) => name.toLowerCase() !== 'content-length')
    .flat();
}

/** Pairs, as Node's addTrailers takes them. */
export function trailerFields(rawTrailers: RawHeaders): [string, string][] {
  return endToEnd(rawTrailers).filter(([name]) => !NOT_IN_TRAILERS.has(name.toLowerCase()));
}

/** How often a message has been through a proxy of this name (RFC 9110 §7.6.3). */
export function countVia(rawHeaders: RawHeaders, pseudonym: string): number {
  return listed(rawHeaders, 'via').filter((hop) => hop.split(/[ \t]+/)[1] === pseudonym.toLowerCase()).length;
}

/** The members of a list-based field, in lower case, over all its lines. */
export function listed(rawHeaders: RawHeaders, field: string): string[] {
  return pairs(rawHeaders)
    .filter(([name]) => name.toLowerCase() === field)
    .flatMap(([, value]) => value.split(','))
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '');
}

function endToEnd(rawHeaders: RawHeaders): [string, string][] {
  const named = new Set(listed(rawHeaders, 'connection'));
  return pairs(rawHeaders).filter(([name]) => {
    const lower = name.toLowerCase();
    return lower === FRAMING || !(HOP_BY_HOP.has(lower) || named.has(lower));
  });
}

function pairs(rawHeaders: RawHeaders): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) result.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);
  return result;
}
