// Credentials of the Basic authentication scheme (RFC 7617), as they stand in Authorization and Proxy-Authorization.

import { latin1Text } from './latin1.ts';

export interface BasicCredentials {
  readonly name: string;
  /** Never log it. */
  readonly password: string;
}

/** Far beyond any name and password in use. */
const VALUE_LENGTH_MAX = 4096;
/** RFC 9110 §11.4: scheme, spaces, token68; padding may be missing, as some clients leave it out. */
const VALUE = /^basic +([a-z\d+/]+={0,2})$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
const CONTROL = /[\u0000-\u001f\u007f]/;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `undefined`: another scheme, no base64, no colon, no UTF-8, or control characters (RFC 7617 §2). */
export function parseBasicCredentials(value: string): BasicCredentials | undefined {
  if (value.length > VALUE_LENGTH_MAX) return undefined;
  const match = VALUE.exec(value);
  if (!match) return undefined;
  let text: string;
  try {
    const raw = atob(match[1] as string);
    text = decoder.decode(Uint8Array.from(raw, (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
  const colon = text.indexOf(':');
  if (colon < 0 || CONTROL.test(text)) return undefined;
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Throws a RangeError when the name holds a colon or either one a control character (RFC 7617 §2). */
export function encodeBasicCredentials(credentials: BasicCredentials): string {
  const { name, password } = credentials;
  if (name.includes(':')) throw new RangeError('the name of Basic credentials must not hold a colon (RFC 7617 §2)');
  if (CONTROL.test(name) || CONTROL.test(password)) {
    throw new RangeError('Basic credentials must not hold control characters (RFC 7617 §2)');
  }
  const bytes = encoder.encode(`${name}:${password}`);
  return `Basic ${btoa(latin1Text(bytes, 0, bytes.length))}`;
}
