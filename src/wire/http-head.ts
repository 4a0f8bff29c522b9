// The head of an HTTP/1 request or response (RFC 9112), read strictly: a head that two readers could take differently
// is refused, since the next server on the way may be the other reader (RFC 9112 §11.1, §11.2).

import { latin1Text } from './latin1.ts';
import { ProtocolError } from './protocol-error.ts';

export interface HttpField {
  /** In lower case. */
  readonly name: string;
  /** Without the whitespace around it; one character a byte. */
  readonly value: string;
}

/** RFC 9112 §3.2. */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk';

export interface HttpRequestHead {
  readonly method: string;
  /** As sent: visible ASCII characters. Only its form has been looked at. */
  readonly target: string;
  readonly form: TargetForm;
  /** Of HTTP/1. */
  readonly minorVersion: number;
  readonly fields: readonly HttpField[];
}

export interface HttpResponseHead {
  /** 100–999. */
  readonly status: number;
  readonly minorVersion: number;
  readonly fields: readonly HttpField[];
}

/** RFC 9110 §5.6.2, tchar; indexed by the character's code. */
const IS_TOKEN = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  IS_TOKEN[char.charCodeAt(0)] = 1;
}

const VERSION = /^HTTP\/(\d)\.(\d)$/;
const STATUS_LINE = /^(HTTP\/\d\.\d) ([1-9]\d\d)(?: |$)/;
/** RFC 3986 §3.1, with what every URI that we could forward has behind it. */
const ABSOLUTE_FORM = /^[a-z][a-z\d+.-]*:\/\//i;
/** RFC 9110 §7.2: uri-host [ ":" port ]; empty when the target has no authority. */
const HOST_VALUE = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;
/** Up to 10^15 - 1, which every reader holds without loss. */
const CONTENT_LENGTH = /^\d{1,15}$/;

/** `head`: one whole head, as long as `HttpHeadScanner` said. */
export function parseRequestHead(head: Uint8Array): HttpRequestHead {
  const lines = latin1Text(head, 0, head.length).split('\r\n');
  const first = lines[0] === '' ? 1 : 0;
  const line = lines[first] ?? '';
  const methodEnd = line.indexOf(' ');
  const targetEnd = line.lastIndexOf(' ');
  if (methodEnd <= 0 || !isToken(line, methodEnd)) throw malformed('the method is no token');
  if (targetEnd <= methodEnd + 1) throw malformed('the request line is not method, target and version');
  const minorVersion = parseVersion(line.slice(targetEnd + 1));
  const method = line.slice(0, methodEnd);
  const target = line.slice(methodEnd + 1, targetEnd);
  const form = formOf(method, target);
  const fields = parseFields(lines, first + 1);
  checkHost(fields, minorVersion);
  checkFraming(fields, minorVersion, method);
  return { method, target, form, minorVersion, fields };
}

/**
 * `head`: one whole head, as long as `HttpHeadScanner` said. The framing of the content is not checked: it depends on
 * the request, and a successful answer to CONNECT has none whatever its fields say (RFC 9110 §9.3.6).
 */
export function parseResponseHead(head: Uint8Array): HttpResponseHead {
  const lines = latin1Text(head, 0, head.length).split('\r\n');
  const match = STATUS_LINE.exec(lines[0] ?? '');
  if (!match) throw malformed('the status line is not version, status and reason');
  const [, version = '', status] = match;
  return { status: Number(status), minorVersion: parseVersion(version), fields: parseFields(lines, 1) };
}

/** Values of the fields of this name (in lower case), in order. */
export function fieldValues(fields: readonly HttpField[], name: string): string[] {
  const values: string[] = [];
  for (const field of fields) if (field.name === name) values.push(field.value);
  return values;
}

function malformed(what: string): ProtocolError {
  return new ProtocolError('malformed', `HTTP head: ${what}`);
}

function isToken(text: string, end: number): boolean {
  for (let i = 0; i < end; i++) if (IS_TOKEN[text.charCodeAt(i)] !== 1) return false;
  return true;
}

function parseVersion(text: string): number {
  const match = VERSION.exec(text);
  if (!match) throw malformed('no valid HTTP version');
  // RFC 9110 §2.5: a higher minor version is to be read as the highest one known.
  if (match[1] !== '1') throw new ProtocolError('unsupported', 'HTTP head: a major version other than 1');
  return Math.min(Number(match[2]), 1);
}

function formOf(method: string, target: string): TargetForm {
  for (let i = 0; i < target.length; i++) {
    const code = target.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) throw malformed('the target holds more than visible ASCII characters');
  }
  if (method === 'CONNECT') return 'authority';
  if (target.startsWith('/')) return 'origin';
  if (target === '*' && method === 'OPTIONS') return 'asterisk';
  if (ABSOLUTE_FORM.test(target)) return 'absolute';
  throw malformed('the target has none of the forms of RFC 9112 section 3.2');
}

/** `lines` from `first` up to the empty line, which ends the head, and what `split` left behind it. */
function parseFields(lines: readonly string[], first: number): HttpField[] {
  const fields: HttpField[] = [];
  for (let i = first; i < lines.length - 2; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(':');
    // RFC 9112 §5.1: whitespace in front of the colon must be refused; it is no token character.
    if (colon <= 0 || !isToken(line, colon)) throw malformed('a field has no valid name');
    fields.push({ name: line.slice(0, colon).toLowerCase(), value: trimmed(line, colon + 1) });
  }
  return fields;
}

/** `line` from `start` on, without spaces and tabs around it (RFC 9110 §5.6.3). */
function trimmed(line: string, start: number): string {
  let from = start;
  let to = line.length;
  while (from < to && isBlank(line.charCodeAt(from))) from++;
  while (to > from && isBlank(line.charCodeAt(to - 1))) to--;
  return line.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** RFC 9112 §3.2. */
function checkHost(fields: readonly HttpField[], minorVersion: number): void {
  let count = 0;
  for (const { name, value } of fields) {
    if (name !== 'host') continue;
    if (++count > 1) throw malformed('more than one Host');
    if (!HOST_VALUE.test(value)) throw malformed('no valid Host');
  }
  if (count === 0 && minorVersion >= 1) throw malformed('no Host');
}

/** RFC 9112 §6: a request's content must have exactly one length. */
function checkFraming(fields: readonly HttpField[], minorVersion: number, method: string): void {
  let length: string | undefined;
  let codings: string | undefined;
  for (const { name, value } of fields) {
    if (name === 'content-length') {
      // §6.3 allows repeated equal ones; who sends them is broken or an attacker.
      if (length !== undefined) throw malformed('more than one Content-Length');
      if (!CONTENT_LENGTH.test(value)) throw malformed('no valid Content-Length');
      length = value;
    } else if (name === 'transfer-encoding') {
      codings = codings === undefined ? value : `${codings},${value}`;
    }
  }
  // RFC 9110 §9.3.6: a CONNECT has no content. With a length its early data could be taken for one.
  if (method === 'CONNECT' && (codings !== undefined || Number(length ?? 0) > 0))
    throw malformed('CONNECT with content');
  if (codings === undefined) return;
  if (length !== undefined) throw malformed('Content-Length beside Transfer-Encoding');
  if (minorVersion === 0) throw malformed('Transfer-Encoding in HTTP/1.0');
  const list = codings.split(',').map((coding) => coding.trim().toLowerCase());
  // §6.1, §6.3: chunked, once and last, or the request has no end.
  if (list.indexOf('chunked') !== list.length - 1)
    throw malformed('Transfer-Encoding that does not end in one chunked');
  if (list.some((coding) => coding === '')) throw malformed('an empty transfer coding');
}
