// Is there a captive portal on a path? Asks a web server for a page that has no content; who answers anything else is
// another than the one asked (RFC 8952; the way that phones and browsers look).

import { setTimeout as wait } from 'node:timers/promises';
import { closeSocket } from '../../socket/close.ts';
import { resetOnClose } from '../../socket/options.ts';
import { receiveBytes } from '../../socket/receive-bytes.ts';
import { sendBytes } from '../../socket/send-bytes.ts';
import type { Endpoint } from '../../wire/destination.ts';
import { parseResponseHead } from '../../wire/http-head.ts';
import { HttpHeadScanner } from '../../wire/http-head-scanner.ts';
import { type From, openOver } from './attempt.ts';

export type PortalFinding =
  /** The server itself has answered. */
  | { readonly kind: 'open' }
  | { readonly kind: 'captive'; readonly detail: string }
  | { readonly kind: 'unknown'; readonly detail: string };

const NO_CONTENT = 204;
const ANSWER_MS = 5_000;
const LOOK_MS = 10;
const HEAD_BYTES_MAX = 2_048;
const EAGAIN = 11;

/** `url`: http, on a server that answers 204. Takes 7.5 s at most; never rejects. */
export async function lookForPortal(from: From, to: Endpoint, url: URL): Promise<PortalFinding> {
  const opened = await openOver(from, to, false);
  if ('kind' in opened) return { kind: 'unknown', detail: opened.kind === 'failed' ? opened.detail : opened.kind };
  const { fd } = opened;
  try {
    const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: close\r\n\r\n`;
    sendBytes(fd, Buffer.from(request, 'latin1'));
    return await readAnswer(fd);
  } finally {
    // Whatever else a portal would send.
    resetOnClose(fd);
    closeSocket(fd);
  }
}

async function readAnswer(fd: number): Promise<PortalFinding> {
  const giveUpAt = performance.now() + ANSWER_MS;
  let head: Uint8Array = new Uint8Array(0);
  while (performance.now() < giveUpAt) {
    const bytes = receiveBytes(fd);
    if (typeof bytes === 'number') {
      if (bytes !== -EAGAIN) return { kind: 'unknown', detail: 'the connection broke off' };
      await wait(LOOK_MS);
      continue;
    }
    if (bytes.length === 0) return { kind: 'unknown', detail: 'it ended without an answer' };
    head = Buffer.concat([head, bytes]);
    const finding = judgeAnswer(head);
    if (finding !== undefined) return finding;
  }
  return { kind: 'unknown', detail: `no answer within ${ANSWER_MS / 1000} s` };
}

/** `undefined`: more is needed. */
export function judgeAnswer(bytes: Uint8Array): PortalFinding | undefined {
  try {
    const length = new HttpHeadScanner(HEAD_BYTES_MAX).scan(bytes);
    if (length === undefined) return undefined;
    const { status, fields } = parseResponseHead(bytes.subarray(0, length));
    if (status === NO_CONTENT) return { kind: 'open' };
    const to = fields.find(({ name }) => name === 'location')?.value;
    const where = to === undefined ? '' : `, to ${hostOf(to)}`;
    return { kind: 'captive', detail: `HTTP ${status} instead of ${NO_CONTENT}${where}` };
  } catch {
    return { kind: 'captive', detail: 'an answer that is no HTTP' };
  }
}

/** Without the rest of it, which may name its user. */
function hostOf(location: string): string {
  const { host = '' } = /^https?:\/\/(?<host>[\w.:[\]-]{1,255})/i.exec(location)?.groups ?? {};
  return host === '' ? 'another page' : host;
}
